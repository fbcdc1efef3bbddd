"""What a product is, and how it becomes rows of the CSV and names of pictures."""

import re
import unicodedata
import zlib
from dataclasses import dataclass, field
from html import escape

HEADER = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,"
    "Status,SKU,Barcode,Option1 name,Option1 value,Option1 Linked To,Option2 name,Option2 value,"
    "Option2 Linked To,Option3 name,Option3 value,Option3 Linked To,Price,Compare-at price,"
    "Cost per item,Charge tax,Tax code,Unit price total measure,Unit price total measure unit,"
    "Unit price base measure,Unit price base measure unit,Inventory tracker,Inventory quantity,"
    "Continue selling when out of stock,Weight value (grams),Weight unit for display,"
    "Requires shipping,Fulfillment service,Product image URL,Image position,Image alt text,"
    "Variant image URL,Gift card,SEO title,SEO description"
).split(",")

PAINTED = {"Colour", "Wood", "Finish", "Leather", "Glass", "Glaze"}  # options one can see


@dataclass
class Value:
    """One value of an option: what it adds to the price, what it does to the weight."""

    name: str
    extra: float = 0.0
    weight: float = 1.0


@dataclass
class Product:
    title: str
    draw: object  # Ink → SVG text
    looks: str  # what the picture shows, for the alt text
    vendor: str
    price: float
    grams: int
    tags: str  # separated by spaces, a dash stays a dash
    text: str  # paragraphs, separated by a line with |
    points: tuple = ()  # short facts, shown as a list
    options: tuple = ()  # (name, values); a value is a name or (name, extra, weight)
    ink: str = "Chalk"  # the colour to draw in where no option says one
    was: float = 0.0  # compare-at price of the cheapest variant
    more: tuple = ()  # further pictures: (suffix, drawing, what it shows)
    made_to_order: bool = False  # sold on when the shelf is empty
    department: object = field(default=None, repr=False)
    number: int = 0

    def __post_init__(self):
        self.options = tuple(
            (name, [Value(*v) if isinstance(v, tuple) else Value(v) for v in values])
            for name, values in self.options
        )

    @property
    def handle(self):
        folded = self.title.translate(str.maketrans({"ø": "o", "Ø": "O", "ß": "ss", "æ": "ae"}))
        folded = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode().lower()
        return re.sub(r"[^a-z0-9]+", "-", folded.replace("'", "")).strip("-")

    def painted(self):
        """The option that changes the look: its place and its values, or None."""
        for place, (name, values) in enumerate(self.options):
            if name in PAINTED:
                return place, values
        return None

    def pictures(self):
        """[(file name, drawing, ink, alt text)] in the order in which they are shown."""
        short = re.split(r"[,:(]", self.title)[0].strip()
        painted = self.painted()
        if painted:
            out = [
                (
                    f"{self.handle}-{slug(v.name)}.svg",
                    self.draw,
                    v.name,
                    f"{short} in {v.name.lower()}: {self.looks}",
                )
                for v in painted[1]
            ]
        else:
            out = [(f"{self.handle}.svg", self.draw, self.ink, f"{short}: {self.looks}")]
        first = out[0][2]
        out += [
            (f"{self.handle}-{suffix}.svg", draw, first, f"{short}: {looks}")
            for suffix, draw, looks in self.more
        ]
        return out

    def variants(self):
        """Every combination of the options' values, the first option slowest."""
        combinations = [()]
        for _, values in self.options:
            combinations = [c + (v,) for c in combinations for v in values]
        return combinations

    def body(self):
        paragraphs = "".join(f"<p>{escape(p.strip(), False)}</p>" for p in self.text.split("|"))
        items = "".join(f"<li>{escape(p, False)}</li>" for p in self.points)
        return paragraphs + (f"<ul>{items}</ul>" if items else "")


@dataclass
class Department:
    """One category of the shop: what its products share."""

    name: str
    code: str  # the first letters of its SKUs
    taxonomy: str
    backgrounds: tuple
    goods: list

    def __post_init__(self):
        for number, product in enumerate(self.goods, 1):
            product.department, product.number = self, number

    def background(self, product):
        return self.backgrounds[product.number % len(self.backgrounds)]


def slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def sku_of(product, variant):
    codes = [re.sub(r"[^A-Z0-9]", "", v.name.upper())[:4] for v in variant]
    return "-".join([f"{product.department.code}{product.number:02}", *codes])


def ean13(text):
    """A valid EAN-13 in the range kept for use inside a shop, so that it is nobody else's."""
    digits = f"2{zlib.crc32(text.encode()) % 10**11:011}"
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return digits + str(-total % 10)


def stock_of(sku):
    """A quantity that looks like a shelf: mostly plenty, some nearly gone, some gone."""
    roll = zlib.crc32(sku[::-1].encode())
    share, rest = roll % 100, roll // 100
    if share < 12:
        return share // 4
    return 3 + rest % 8 if share < 24 else 10 + rest % 130


def _cents(amount):
    return f"{amount:.2f}"


def _variant_cells(product, variant, pictures):
    sku = sku_of(product, variant)
    extra = sum(v.extra for v in variant)
    grams = product.grams
    for value in variant:
        grams *= value.weight
    cells = {
        "SKU": sku,
        "Barcode": ean13(sku) if product.number % 5 else "",
        "Price": _cents(product.price + extra),
        "Compare-at price": _cents(product.was + extra) if product.was else "",
        "Charge tax": "TRUE",
        "Inventory tracker": "shopify",
        "Inventory quantity": str(stock_of(sku)),
        "Continue selling when out of stock": "CONTINUE" if product.made_to_order else "DENY",
        "Weight value (grams)": str(round(grams)),
        "Weight unit for display": "kg" if grams >= 2000 else "g",
        "Requires shipping": "TRUE",
        "Fulfillment service": "manual",
    }
    for place, value in enumerate(variant, 1):
        cells[f"Option{place} value"] = value.name
    painted = product.painted()
    if painted:
        at = painted[1].index(variant[painted[0]])
        cells["Variant image URL"] = "/pictures/" + pictures[at][0]
    if not variant:
        cells["Option1 value"] = "Default Title"
    return cells


def rows_of(product):
    """The product's CSV rows: one for each variant, and more where pictures are left over."""
    pictures = product.pictures()
    rows = [_variant_cells(product, v, pictures) for v in product.variants()]
    rows += [{} for _ in range(len(pictures) - len(rows))]
    for position, (name, _, _, alt) in enumerate(pictures, 1):
        rows[position - 1].update(
            {
                "Product image URL": "/pictures/" + name,
                "Image position": str(position),
                "Image alt text": alt,
            }
        )
    rows[0].update(
        {
            "Title": product.title,
            "Description": product.body(),
            "Vendor": product.vendor,
            "Product category": product.department.taxonomy,
            "Type": product.department.name,
            "Tags": ", ".join(product.tags.split()),
            "Published on online store": "TRUE",
            "Status": "Active",
            "Gift card": "FALSE",
        }
    )
    for place, (name, _) in enumerate(product.options or (("Title", None),), 1):
        rows[0][f"Option{place} name"] = name
    for row in rows:
        row["URL handle"] = product.handle
    return rows
