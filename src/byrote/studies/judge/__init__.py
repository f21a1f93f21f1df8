"""Judging measures of complexity: which of them tell true labels from random ones, and rank networks a"""
