"""The randomisation test: can these networks memorise this data, and what is left of it without structure?"""
