"""Does your network learn, or learn by rote? The public names are listed in `__init__.pyi`; each is imported on use,
so that `import byrote` and `byrote --help` do not wait for torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
