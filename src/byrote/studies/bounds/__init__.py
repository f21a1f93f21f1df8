"""Bounds and measures of one network, on true and on random labels: do they say anything, and do they"""
