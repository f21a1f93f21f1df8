"""Section 5: minimum-norm interpolation with kernels, on pixels, Gabor wavelets and random convolution"""
