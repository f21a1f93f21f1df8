"""What pages are made of: figures, their theme, and sections of figures and tables."""
