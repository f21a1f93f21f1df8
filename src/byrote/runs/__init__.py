"""Durable storage of finished runs, and the work of making the missing ones."""
