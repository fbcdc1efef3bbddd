#!/usr/bin/env python3
"""Writes the demo catalogue: demo.csv and pictures/*.svg, always the same bytes.

    catalogue/make.py           write both, then check them
    catalogue/make.py --check   check what is there, and that it is what would be written
"""

import csv
import io
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from goods import DEPARTMENTS  # noqa: E402
from product import HEADER, ean13, rows_of  # noqa: E402
from svg import Ink, is_pale, picture  # noqa: E402

PICTURE_LIMIT, ALL_PICTURES_LIMIT = 4096, 600 * 1024


def products():
    return [product for department in DEPARTMENTS for product in department.goods]


def csv_text():
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    for product in products():
        writer.writerows(rows_of(product))
    return out.getvalue()


def picture_files():
    """{file name: SVG text} of every picture of every product."""
    files = {}
    for product in products():
        for name, draw, ink, _ in product.pictures():
            if name in files:
                raise SystemExit(f"make.py: two products want the picture {name}")
            ink = Ink(ink)
            files[name] = picture(draw(ink), product.department.background(product), is_pale(ink.m))
    return files


def problems(text, files):
    """What is wrong with a catalogue, as sentences; nothing if it is well."""
    rows = list(csv.DictReader(io.StringIO(text)))
    handles, skus, used, last = set(), set(), set(), None
    for number, row in enumerate(rows, 2):
        at, handle = f"demo.csv row {number}", row["URL handle"]
        if handle != last and handle in handles:
            yield f"{at}: rows of {handle} do not stand together"
        if handle != last and not row["Title"]:
            yield f"{at}: first row of {handle} has no title"
        handles.add(handle)
        last = handle
        if row["Price"]:
            if not row["SKU"] or row["SKU"] in skus:
                yield f"{at}: SKU {row['SKU']!r} is empty or taken"
            skus.add(row["SKU"])
            if row["Compare-at price"] and float(row["Compare-at price"]) <= float(row["Price"]):
                yield f"{at}: compare-at price is not above the price"
            if row["Barcode"] and row["Barcode"] != ean13(row["SKU"]):
                yield f"{at}: barcode {row['Barcode']} is not the one of its SKU"
        for column in ("Product image URL", "Variant image URL"):
            if row[column]:
                used.add(row[column].removeprefix("/pictures/"))
        if row["Product image URL"] and not row["Image alt text"]:
            yield f"{at}: picture without alt text"
    if len(handles) != len(products()):
        yield f"demo.csv: {len(handles)} handles for {len(products())} products"
    yield from (f"pictures/{name}: used but not there" for name in sorted(used - files.keys()))
    yield from (f"pictures/{name}: not used" for name in sorted(files.keys() - used))
    for name, svg in files.items():
        if len(svg.encode()) >= PICTURE_LIMIT:
            yield f"pictures/{name}: {len(svg.encode())} bytes, limit {PICTURE_LIMIT}"
    if sum(len(svg.encode()) for svg in files.values()) > ALL_PICTURES_LIMIT:
        yield f"pictures: together above {ALL_PICTURES_LIMIT} bytes"


def write(text, files):
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        if old.name not in files:
            old.unlink()
    for name, svg in files.items():
        (folder / name).write_text(svg, encoding="utf-8")
    (HERE / "demo.csv").write_text(text, encoding="utf-8")


def differences(text, files):
    """How the files on disk differ from what would be written."""
    on_disk = {
        path.name: path.read_text(encoding="utf-8") for path in (HERE / "pictures").glob("*.svg")
    }
    if not (HERE / "demo.csv").exists() or (HERE / "demo.csv").read_text(encoding="utf-8") != text:
        yield "demo.csv: not what make.py writes"
    for name in sorted(on_disk.keys() | files.keys()):
        if on_disk.get(name) != files.get(name):
            yield f"pictures/{name}: not what make.py writes"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: make.py [--check]\n")
        return 2
    text, files = csv_text(), picture_files()
    found = list(problems(text, files))
    if arguments:
        found += differences(text, files)
    elif not found:
        write(text, files)
    for problem in found:
        sys.stderr.write(problem + "\n")
    variants = sum(len(product.variants()) for product in products())
    size = sum(len(svg.encode()) for svg in files.values())
    sys.stderr.write(
        f"{len(products())} products, {variants} variants, {len(files)} pictures, "
        f"{size // 1024} KiB\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
