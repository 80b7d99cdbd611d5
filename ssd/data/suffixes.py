"""Endings of the names of image files. They say only which files of a folder are looked at: `ssd.data.formats`."""

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".j2k"),
    *(".avif", ".heic", ".heif", ".ppm", ".pgm", ".pnm"),
)
# Of pictures that are not read: counted and named where they lie among others.
UNREAD_SUFFIXES = (
    *(".jxl", ".psd", ".svg", ".ico", ".tga", ".exr", ".hdr", ".dcm", ".nii", ".pdf", ".eps", ".mp4", ".mov"),
    *(".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".raw"),
)
