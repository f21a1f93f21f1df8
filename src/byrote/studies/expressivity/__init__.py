"""Finite-sample expressivity: how many weights represent any labels of n examples, by construction and"""
