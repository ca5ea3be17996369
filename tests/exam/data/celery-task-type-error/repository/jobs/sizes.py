def fit(size, width):
    """The size that keeps the ratio at the given width."""
    ratio = size[1] / size[0]
    return width, round(width * ratio)
