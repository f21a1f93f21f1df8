"""Architectures of equal size: which generalise, and does that keep them from memorising?"""
