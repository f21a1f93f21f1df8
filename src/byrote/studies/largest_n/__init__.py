"""Effective capacity: the largest n whose random labels training fits, and how many bits of them a net"""
