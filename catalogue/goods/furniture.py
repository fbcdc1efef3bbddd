"""Furniture: what stands in a room."""

from product import Department, Product
from svg import BRASS, DARK, STEEL, WOOD, Ink, disc, leaf, line, move, oval, rect, shadow, shape


def chair(k):
    return (
        shadow(92)
        + line("M148 214L130 312M252 214L270 312", k.d, 13)
        + line("M152 72L146 214M248 72L254 214", k.m, 12)
        + line("M250 80L254 214", k.d, 6)
        + "".join(line(f"M{x} 96L{x + (200 - x) * -0.06:.0f} 206", k.d, 7) for x in (174, 200, 226))
        + shape("M136 66Q200 46 264 66V96Q200 78 136 96Z", k.m)
        + shape("M136 84Q200 66 264 84V96Q200 78 136 96Z", k.d)
        + shape("M126 204H274L288 230Q290 240 280 240H120Q110 240 112 230Z", k.l)
        + rect(112, 230, 176, 12, k.d, 5)
        + line("M126 240L112 316M274 240L288 316", k.m, 14)
        + line("M120 282H280", k.d, 8)
    )


def stool(k):
    return (
        shadow(80)
        + line("M182 190L166 300M218 190L234 300", k.dd, 11)
        + line("M150 176L116 314", k.m, 13)
        + line("M250 176L284 314", k.d, 13)
        + line("M132 252H268", k.d, 9)
        + oval(200, 178, 92, 17, k.d)
        + oval(200, 166, 92, 17, k.m)
        + oval(200, 163, 78, 12, k.l)
        + line("M150 162Q200 152 250 162M160 168Q200 160 240 168", k.d, 2, 0.6)
    )


def sidetable(k):
    return (
        shadow(92)
        + rect(192, 180, 16, 120, DARK.m, 3)
        + rect(202, 180, 6, 120, DARK.d, 3)
        + oval(200, 306, 70, 11, DARK.d)
        + oval(200, 301, 70, 11, DARK.m)
        + oval(200, 186, 118, 19, k.d)
        + oval(200, 176, 118, 19, k.m)
        + oval(200, 174, 104, 14, k.l, 0.6)
        + rect(222, 158, 66, 14, "#a8433a", 2)
        + rect(228, 146, 56, 12, "#d8c48e", 2)
        + move(
            150,
            168,
            shape("M-24-50H24L18 0Q0 6-18 0Z", "#e9e4da"),
            shape("M8-50H24L18 0Q10 3 4 3Z", "#cfc8ba"),
            "".join(
                leaf(0, -48, s, a, c)
                for s, a, c in ((62, -30, "#6d9463"), (70, 4, "#5f8458"), (58, 36, "#7fa873"))
            ),
        )
    )


def bookshelf(k):
    spines = (
        (106, 26, 74, "#b8503f"),
        (134, 18, 62, "#d9a441"),
        (154, 24, 80, "#3f5f7d"),
        (180, 16, 66, "#8fae8b"),
    )
    lower = ((214, 22, 70, "#79455f"), (238, 26, 60, "#cdb48a"), (266, 20, 76, "#325a4a"))

    def books(row, shelf):
        return "".join(
            rect(x, shelf - h, w, h, c, 2) + rect(x, shelf - h + 12, w, 5, "#fff", 0, 0.35)
            for x, w, h, c in row
        )

    return (
        shadow(120)
        + rect(90, 52, 220, 262, k.dd, 4)
        + rect(90, 52, 14, 262, k.m, 3)
        + rect(296, 52, 14, 262, k.d, 3)
        + rect(84, 46, 232, 14, k.m, 4)
        + rect(100, 140, 200, 12, k.m)
        + rect(100, 226, 200, 12, k.m)
        + rect(90, 302, 220, 14, k.m, 3)
        + books(spines, 140)
        + books(lower, 226)
        + move(
            256,
            140,
            shape("M-22-30H22L16 0H-16Z", "#e9e4da"),
            leaf(0, -28, 40, -30, "#6d9463"),
            leaf(0, -28, 44, 14, "#7fa873"),
        )
        + disc(142, 202, 24, "#dcb35a")
        + disc(142, 202, 18, "#f7f1e1")
        + line("M142 190v12l8 6", DARK.m, 3)
        + rect(112, 262, 82, 40, "#c9a778", 4)
        + line("M112 276H194M112 290H194", "#a07f54", 3)
        + books(((214, 24, 54, "#4b8791"), (242, 18, 48, "#d8897a")), 302)
    )


def bench(k):
    slat = "".join(
        rect(58, y, 284, 16, k.m, 5) + rect(58, y + 10, 284, 6, k.d, 3) for y in (140, 166, 192)
    )
    return (
        shadow(150)
        + rect(74, 132, 14, 184, k.d, 4)
        + rect(312, 132, 14, 184, k.d, 4)
        + slat
        + shape("M66 226H334L350 246H50Z", k.l)
        + rect(50, 244, 300, 14, k.d, 4)
        + rect(60, 256, 18, 62, k.m, 3)
        + rect(322, 256, 18, 62, k.m, 3)
        + line("M50 206Q46 200 60 200H86M350 206" "Q354 200 340 200H314", k.m, 12)
        + line("M54 206V246M346 206V246", k.m, 10)
        + line("M80 284H320", k.dd, 7)
    )


def armchair(k):
    return (
        shadow(128)
        + line("M116 290L106 314M284 290L294 314", WOOD.d, 13)
        + shape("M112 230V122Q112 78 156 78H244Q288 78 288 122V230Z", k.m)
        + shape("M240 78H244Q288 78 288 122V230H256Q262 130 240 78Z", k.d, 0.6)
        + "".join(
            disc(x, y, 4, k.dd)
            for x, y in ((160, 120), (200, 120), (240, 120), (180, 154), (220, 154))
        )
        + rect(122, 202, 156, 54, k.l, 18)
        + rect(122, 238, 156, 50, k.d, 8)
        + rect(72, 178, 60, 116, k.m, 28)
        + rect(268, 178, 60, 116, k.m, 28)
        + rect(300, 184, 28, 104, k.d, 14, 0.6)
        + oval(102, 204, 18, 14, k.l, 0.7)
        + oval(298, 204, 18, 14, k.l, 0.7)
    )


def coatstand(k):
    return (
        shadow(84)
        + line("M200 288L140 314M200 288L260 314", k.d, 12)
        + rect(192, 54, 16, 262, k.m, 7)
        + rect(201, 54, 7, 262, k.d, 3)
        + line("M200 126L148 84M200 126L252 84M200 158L160 126M200 158L240 126", k.m, 10)
        + "".join(disc(x, y, 9, k.d) for x, y in ((148, 84), (252, 84), (160, 126), (240, 126)))
        + disc(200, 54, 13, k.m)
        + shape("M152 88Q128 96 122 132L112 244Q136 256 176 246L182 132Q176 100 152 88Z", "#4f6f86")
        + shape("M158 92Q176 104 182 132L176 246Q164 250 152 250Z", "#415d72")
        + shape(
            "M222 104Q252 62 282 104Q306 108 308 120Q252 136 196 120Q198 108 222 104Z", "#b98a4e"
        )
        + line("M222 106Q252 118 282 106", "#7b4a2e", 8)
    )


def desk(k):
    return (
        shadow(152)
        + rect(62, 196, 14, 122, k.d, 3)
        + rect(324, 196, 14, 122, k.d, 3)
        + rect(88, 200, 10, 104, k.dd, 3)
        + rect(302, 200, 10, 104, k.dd, 3)
        + rect(58, 190, 284, 44, k.m, 4)
        + rect(82, 198, 106, 28, k.l, 3)
        + rect(212, 198, 106, 28, k.l, 3)
        + disc(135, 212, 5, BRASS.d)
        + disc(265, 212, 5, BRASS.d)
        + rect(44, 176, 312, 16, k.l, 5)
        + rect(44, 186, 312, 6, k.d, 3)
        + rect(158, 110, 104, 60, DARK.m, 5)
        + rect(164, 116, 92, 48, "#cfdde6", 2)
        + shape("M144 176L158 166H262L276 176Z", STEEL.d)
        + shape("M302 176L296 146H326L320 176Z", Ink("Clay").m)
        + leaf(311, 148, 36, -24, "#6d9463")
        + leaf(311, 148, 40, 16, "#7fa873")
        + rect(76, 164, 52, 12, "#a8433a", 2)
        + rect(82, 154, 42, 10, "#d8c48e", 2)
    )


def mirror(k):
    return (
        shadow(84)
        + line("M150 290L136 314M250 290L264 314", k.d, 10)
        + shape("M108 300V160Q108 58 200 58T292 160V300Q292 306 286 306H114Q108 306 108 300Z", k.m)
        + shape("M240 70Q292 92 292 160V300Q292 306 286 306H262Q276 150 240 70Z", k.d, 0.5)
        + shape("M122 292V160Q122 72 200 72T278 160V292Z", "#cfdfe6")
        + shape("M122 240L214 74Q244 78 260 100L138 292H122Z", "#fff", 0.45)
        + shape("M162 292L274 132Q278 146 278 160V182L202 292Z", "#fff", 0.3)
    )


FURNITURE = Department(
    "Furniture",
    "FU",
    "Furniture",
    ("#d8dcd3", "#e6dcd0", "#d5dbe3"),
    [
        Product(
            "Parish Chair",
            chair,
            "a spindle-back wooden chair",
            "Nørvang Træ",
            235.00,
            4800,
            "chair wood dining",
            "The chair of village halls, with the mistakes taken out. It weighs under five "
            "kilograms, stacks four high, and does not creak during speeches.",
            ("Seat height 45 cm",),
            (("Wood", ["Ash", "Oak", "Walnut"]),),
        ),
        Product(
            "Milking Stool, Grown Up",
            stool,
            "a round stool on four splayed legs",
            "Nørvang Træ",
            118.00,
            3100,
            "stool wood",
            "A stool for counters and workbenches, with the wedges of its legs left showing in "
            "the seat. The rung is at the right height because we tried all the others.",
            (),
            (("Wood", ["Beech", "Walnut"]), ("Height", ["45 cm", ("65 cm", 22.0, 1.3)])),
        ),
        Product(
            "Pivot Side Table",
            sidetable,
            "a small round table with books and a plant",
            "Osterby Licht",
            172.00,
            7400,
            "table wood sofa",
            "A round top on a foot heavy enough for a lean. It slides over the arm of a sofa, and "
            "there it stays.",
            ("45 cm across",),
            (("Wood", ["Oak", "Cherry"]),),
            was=205.00,
        ),
        Product(
            "Bookshelf for Three Dozen Novels, One Plant and a Clock",
            bookshelf,
            "a shelf with books, a clock, a plant and a box",
            "Nørvang Træ",
            288.95,
            16500,
            "shelf wood storage",
            "Three shelves, cut to the heights that books really have. It goes together with "
            "wedges and a mallet, and apart again when you move.",
            ("72 × 90 × 24 cm", "No screws"),
            (("Wood", ["Oak", "Walnut", "Cherry"]),),
            made_to_order=True,
        ),
        Product(
            "Orchard Bench",
            bench,
            "a slatted garden bench with armrests",
            "Calderfoot Tools",
            328.95,
            18200,
            "bench wood garden outdoor",
            "For two people and a cat, under a tree. The wood greys in a year, and then it stays "
            "that way for thirty.",
            ("128 cm long",),
            (("Colour", ["Sea", "Chalk", "Moss"]),),
            made_to_order=True,
        ),
        Product(
            'Reading Armchair "Señora"',
            armchair,
            "a buttoned armchair with wide arms",
            "Maison Orlenne",
            640.00,
            24500,
            "armchair wool sofa",
            "Wide arms for a book and a cup, a back that knows where the neck is, and springs tied "
            "by hand. The cover comes off with a zip.|Delivered by two people who take the box "
            "away again.",
            ("Wool bouclé", "Beech frame"),
            (("Colour", ["Ochre", "Forest", "Rose", "Slate"]),),
            made_to_order=True,
        ),
        Product(
            "Hall Tree",
            coatstand,
            "a coat stand with a coat and a hat on it",
            "Nørvang Træ",
            148.00,
            5200,
            "coat hall wood",
            "Holds the coats of six guests without leaning towards the heaviest. The pegs are "
            "knobs, so collars keep their shape.",
            ("178 cm high",),
            (("Wood", ["Birch", "Walnut"]),),
        ),
        Product(
            "Correspondence Desk",
            desk,
            "a slim desk with two drawers, books and a plant",
            "Nørvang Træ",
            445.00,
            21000,
            "desk wood office",
            "A narrow desk for letters and laptops, with two drawers on waxed runners. A groove "
            "at the back lets cables leave without being seen.",
            ("120 × 55 × 75 cm",),
            (("Wood", ["Oak", "Cherry"]),),
            was=495.00,
            made_to_order=True,
        ),
        Product(
            "Arched Floor Mirror",
            mirror,
            "a tall arched mirror in a wide frame",
            "Osterby Licht",
            210.00,
            11800,
            "mirror hall bedroom",
            "An arch as wide as a door, with a frame that is turned in towards the glass. It leans "
            "on the wall or hangs on it.",
            ("60 × 150 cm",),
            (("Finish", ["Brass", "Black", "Copper"]),),
        ),
    ],
)
