"""Regularisers as tuning parameters: does a stronger one shrink what a network can memorise, and what"""
