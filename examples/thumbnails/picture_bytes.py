"""Pictures byte by byte, without a library: right ones, and such as a library would not write."""

import struct
import zlib

GREY, RGB, RGBA = 0, 2, 6  # PNG's numbers for them


def png_chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, colours, rows, depth=8):
    """`rows` are all bytes of the picture, row by row."""
    row_bytes = len(rows) // height
    filtered = b"".join(b"\0" + rows[at:at + row_bytes] for at in range(0, len(rows), row_bytes))
    return png_header(width, height, colours, depth) + png_chunk(b"IDAT", zlib.compress(filtered, 9)) + png_chunk(b"IEND", b"")


def png_header(width, height, colours, depth=8):
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))


def ppm(width, height, samples):
    return b"P6\n%d %d\n255\n" % (width, height) + samples


def jpeg_segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg_frame(marker, width, height):
    """SOI, quantisation, the size of a grey picture, and two Huffman tables of one code each: the bit 0."""
    one_code = bytes([1] + [0] * 15)
    dc_of_no_difference, ac_symbol = b"\0", b"\0" if marker == 0xC0 else b"\xe0"  # end of block, or of 2**14 and more
    return (b"\xff\xd8" + jpeg_segment(0xDB, b"\0" + bytes([1] * 64)) + jpeg_segment(marker, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
            + jpeg_segment(0xC4, b"\x00" + one_code + dc_of_no_difference) + jpeg_segment(0xC4, b"\x10" + one_code + ac_symbol))


def jpeg_scan(first, last, bits):
    """One pass over the picture, all of its bits 0; what is left of the last byte is filled with 1."""
    return jpeg_segment(0xDA, b"\1\1\0" + bytes([first, last, 0])) + bytes(bits // 8) + (bytes([0xFF >> bits % 8]) if bits % 8 else b"")


def blocks(width, height):
    return -(-width // 8) * -(-height // 8)


def jpeg(width, height):
    """All grey: for each block of 8 x 8 a code that says "as before" and one that says "nothing more"."""
    return jpeg_frame(0xC0, width, height) + jpeg_scan(0, 63, 2 * blocks(width, height)) + b"\xff\xd9"


def jpeg_of_many_scans(width, height, scans):
    """A progressive picture may refine itself as often as it likes: 200 bytes a time, and each time all blocks are visited."""
    refinement = jpeg_scan(1, 63, 15 * -(-blocks(width, height) // (1 << 14)))
    return jpeg_frame(0xC2, width, height) + jpeg_scan(0, 0, blocks(width, height)) + scans * refinement + b"\xff\xd9"
