#!/usr/bin/python3
"""Packs folders of files into two sources that meson compiles into the program.

The first output is assembly that includes each file's bytes as they are, the second the C table
declared in src/http/asset.h, sorted by path. The depfile names every file and folder read. A file
whose name ends in none of TYPES is not for browsers (a generator, a note) and is left out.
"""

import argparse
import hashlib
import os

TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}


def media_type(path):
    return TYPES.get(os.path.splitext(path)[1].lower())


def walk(root, folders):
    """All files below the folders, as paths from root, and all folders that were looked into."""
    # A folder that is missing is named too: the build then looks again each time until it is there.
    files, looked_into = [], [os.path.join(root, folder) for folder in folders]
    for folder in folders:
        for here, names, leaves in os.walk(os.path.join(root, folder)):
            names[:] = [name for name in names if not name.startswith((".", "__"))]
            looked_into += [os.path.join(here, name) for name in names]
            for leaf in leaves:
                if not leaf.startswith(".") and media_type(leaf):
                    files.append(os.path.relpath(os.path.join(here, leaf), root))
    return sorted(files, key=os.fsencode), looked_into


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def assembly(root, files):
    lines = ['    .section .rodata, "a"']
    for number, path in enumerate(files):
        lines += [
            "    .balign 16",
            f"    .globl asset_bytes_{number}",
            f"    .hidden asset_bytes_{number}",
            f"asset_bytes_{number}:",
            f"    .incbin {quoted(os.path.join(root, path))}",
            "    .byte 0",
        ]
    lines += ['    .section .note.GNU-stack, "", %progbits', ""]
    return "\n".join(lines)


def table(root, files):
    lines = ['#include "http/asset.h"', ""]
    rows = []
    for number, path in enumerate(files):
        with open(os.path.join(root, path), "rb") as file:
            content = file.read()
        digest = hashlib.sha256(content).hexdigest()
        lines.append(f"extern const unsigned char asset_bytes_{number}[];")
        rows.append(
            f"    {{{quoted(path)}, asset_bytes_{number}, {len(content)},\n"
            f"     {quoted(digest)}, {quoted(media_type(path))}}},"
        )
    # An empty table would not be C, hence the closing row, which is not counted.
    lines += ["", "const struct asset assets[] = {", *rows, "    {0},", "};"]
    lines += [f"const unsigned asset_count = {len(files)};", ""]
    return "\n".join(lines)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="folder that the paths start from")
    parser.add_argument("--depfile", required=True)
    parser.add_argument("assembly")
    parser.add_argument("table")
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()

    files, looked_into = walk(options.root, options.folders)
    write(options.assembly, assembly(options.root, files))
    write(options.table, table(options.root, files))
    inputs = looked_into + [os.path.join(options.root, path) for path in files]
    escaped = " ".join(name.replace(" ", "\\ ") for name in inputs)
    outputs = f"{options.assembly} {options.table}"
    write(options.depfile, f"{outputs}: {escaped}\n")


main()
