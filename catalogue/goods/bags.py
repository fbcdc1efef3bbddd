"""Bags: what one carries things in."""

from product import Department, Product
from svg import BRASS, DARK, LEATHER, PAPER, disc, flat, line, rect, ring, shadow, shape, turn


def backpack(k):
    return (
        shadow(98)
        + line("M176 92Q176 62 200 62T224 92", k.dd, 10)
        + shape("M106 170Q86 190 86 240V286Q86 300 100 300H120V170Z", k.dd)
        + shape("M294 170Q314 190 314 240V286Q314 300 300 300H280V170Z", k.dd)
        + shape(
            "M104 318Q100 318 100 306V176Q104 88 200 86Q296 88 300 176V306Q300 318 292 318Z", k.m
        )
        + shape("M248 96Q298 116 300 176V306Q300 318 292 318H256Q270 200 248 96Z", k.d, 0.6)
        + shape("M100 184Q104 88 200 86Q296 88 300 184Q250 204 200 204T100 184Z", k.l)
        + rect(128, 226, 144, 76, k.d, 12)
        + rect(128, 226, 144, 22, k.dd, 10)
        + rect(150, 180, 18, 66, LEATHER.m, 4)
        + rect(232, 180, 18, 66, LEATHER.m, 4)
        + rect(148, 214, 22, 15, BRASS.m, 3)
        + rect(230, 214, 22, 15, BRASS.m, 3)
    )


def tote(k):
    return (
        shadow(104)
        + line("M150 176V112Q150 76 200 76T250 112V176", k.dd, 11)
        + shape("M96 160H304L292 306Q290 318 280 318H120Q110 318 108 306Z", k.m)
        + shape("M262 160H304L292 306Q290 318 280 318H244Q262 240 262 160Z", k.d, 0.6)
        + rect(94, 154, 212, 18, k.l, 4)
        + line("M150 232V138Q150 104 200 104T250 138V232", LEATHER.m, 11)
        + rect(140, 222, 20, 26, LEATHER.d, 3)
        + rect(240, 222, 20, 26, LEATHER.d, 3)
        + shape("M200 232q28 14 0 52q-28-38 0-52Z", k.ll)
    )


def satchel(k):
    return (
        shadow(126)
        + line("M92 204C60 20 340 20 308 204", k.dd, 10)
        + rect(76, 172, 248, 146, k.d, 18)
        + shape(
            "M76 184Q76 164 96 164H304Q324 164 324 184V232" "Q324 262 290 264H110Q76 262 76 232Z",
            k.m,
        )
        + line("M86 188V230Q88 254 112 254H288Q312 254 314 230V188", k.ll, 2, 0.7, "7 5")
        + rect(122, 178, 22, 112, k.dd, 4)
        + rect(256, 178, 22, 112, k.dd, 4)
        + rect(118, 248, 30, 22, BRASS.m, 4)
        + rect(252, 248, 30, 22, BRASS.m, 4)
        + rect(126, 254, 14, 10, k.dd, 2)
        + rect(260, 254, 14, 10, k.dd, 2)
        + line("M170 166Q172 144 200 144T230 166", k.dd, 9)
    )


def duffel(k):
    return (
        shadow(146)
        + line("M134 236C124 104 276 104 266 236", LEATHER.d, 11)
        + rect(52, 184, 296, 134, k.m, 44)
        + shape("M262 184H304Q348 184 348 228V274Q348 318 304 318H262Z", k.d, 0.6)
        + shape("M96 184Q52 186 52 228V274Q52 316 96 318Q76 250 96 184Z", k.d)
        + line("M112 196H288", k.dd, 5)
        + rect(180, 190, 40, 10, BRASS.m, 3)
        + rect(124, 196, 20, 122, LEATHER.m)
        + rect(256, 196, 20, 122, LEATHER.d)
        + line("M134 240C124 124 276 124 266 240", LEATHER.m, 11)
        + rect(176, 142, 48, 20, LEATHER.d, 8)
        + rect(168, 244, 64, 40, k.d, 5)
        + ring(52, 236, 10, BRASS.m, 4)
        + ring(348, 236, 10, BRASS.m, 4)
    )


def wallet(k):
    return flat(
        turn(
            -10,
            rect(118, 78, 154, 60, "#4f8aa0", 6),
            rect(128, 92, 154, 60, "#e0b85a", 6),
            rect(76, 120, 248, 176, k.d, 14),
            rect(76, 114, 248, 176, k.m, 14),
            line("M88 128H312V276H88Z", k.ll, 2, 0.6, "7 5"),
            line("M200 116V288", k.dd, 3, 0.6),
            rect(262, 176, 70, 46, k.d, 10),
            disc(286, 199, 10, BRASS.m),
            disc(284, 197, 5, BRASS.l),
        )
    )


def pouch(k):
    stripes = "".join(rect(x, 150, 14, 130, k.ll, 0, 0.45) for x in range(94, 300, 34))
    return flat(
        turn(
            -7,
            rect(70, 140, 260, 150, k.m, 20),
            stripes,
            rect(70, 140, 260, 30, k.d, 14),
            line("M84 155H316", PAPER.d, 8),
            line("M84 155H316", DARK.m, 3, 1, "3 4"),
            rect(286, 146, 28, 18, BRASS.m, 5),
            line("M312 158l30 30", LEATHER.m, 10),
            line("M312 158l30 30", LEATHER.d, 3),
            rect(70, 262, 260, 28, k.d, 14, 0.6),
        )
    )


def suitcase(k):
    return (
        shadow(118)
        + line("M160 124V96Q160 82 174 82H226Q240 82 240 96V124", DARK.m, 11)
        + rect(78, 118, 244, 196, k.m, 24)
        + shape("M262 118H298Q322 118 322 142V290Q322 314 298 314H262Z", k.d, 0.6)
        + rect(116, 118, 24, 196, LEATHER.m)
        + rect(260, 118, 24, 196, LEATHER.d)
        + rect(112, 176, 32, 26, BRASS.m, 4)
        + rect(256, 176, 32, 26, BRASS.m, 4)
        + line("M78 216H322", k.dd, 4)
        + rect(184, 204, 32, 26, BRASS.d, 5)
        + "".join(
            shape(f"M{x} {y}{arc}Z", LEATHER.dd)
            for x, y, arc in (
                (78, 162, "V142Q78 118 102 118H122Q112 156 78 162"),
                (322, 162, "V142Q322 118 298 118H278Q288 156 322 162"),
                (78, 270, "V290Q78 314 102 314H122Q112 276 78 270"),
                (322, 270, "V290Q322 314 298 314H278Q288 276 322 270"),
            )
        )
        + rect(100, 312, 26, 8, DARK.m, 3)
        + rect(274, 312, 26, 8, DARK.m, 3)
    )


def rolltop(k):
    return (
        shadow(92)
        + shape("M112 314V150H288V306Q288 318 276 318H124Q112 318 112 306Z", k.m)
        + shape("M246 150H288V306Q288 318 276 318H246Z", k.d, 0.6)
        + rect(104, 120, 192, 36, k.d, 16)
        + rect(104, 100, 192, 36, k.l, 17)
        + line("M120 118H280", k.d, 3, 0.6)
        + rect(190, 96, 20, 140, DARK.m, 2)
        + rect(182, 206, 36, 26, DARK.l, 5)
        + rect(190, 213, 20, 12, DARK.d, 2)
        + rect(112, 252, 176, 10, PAPER.m, 0, 0.85)
        + rect(136, 272, 56, 26, k.d, 4)
        + line("M104 128Q86 146 112 172M296 128Q314 146 288 172", DARK.m, 6)
    )


def basket(k):
    weave = "".join(
        line(
            f"M{96 + r * 5} {196 + r * 24}Q200 {216 + r * 24} {304 - r * 5} {196 + r * 24}",
            k.d,
            7,
            1,
            "15 11",
        )
        for r in range(0, 5)
    )
    return (
        shadow(98)
        + line("M138 190C138 70 262 70 262 190", LEATHER.d, 12)
        + shape("M190 176L212 84L236 92L226 178Z", "#e0b774")
        + line("M212 108l14 5M208 126l16 5", "#b98b4a", 4)
        + shape("M150 180q-14-60 14-76q26 14 14 76Z", "#6d8f5e")
        + shape("M84 176H316L288 302Q284 318 270 318H130Q116 318 112 302Z", k.m)
        + shape("M268 176H316L288 302Q284 318 270 318H240Q266 250 268 176Z", k.d, 0.55)
        + weave
        + rect(78, 168, 244, 20, k.l, 9)
        + line("M90 178H312", k.d, 4, 1, "9 9")
        + line("M146 204C140 98 260 98 254 204", LEATHER.m, 12)
    )


BAGS = Department(
    "Bags",
    "BG",
    "Luggage & Bags",
    ("#ddd6cd", "#d3dbe0", "#e1d9de"),
    [
        Product(
            "Ridgeway Backpack",
            backpack,
            "a backpack with two leather straps and a front pocket",
            "Hollin & Strap",
            138.95,
            1150,
            "backpack canvas travel school",
            "Waxed canvas that sheds rain and remembers where it has been. A sleeve for a laptop, "
            "a pocket for keys, and one big space without opinions.",
            ("20 l", 'Laptops up to 15"'),
            (("Colour", ["Moss", "Ink", "Clay", "Charcoal"]),),
            was=165.00,
        ),
        Product(
            "Market Tote",
            tote,
            "a shopping bag with leather handles and a printed leaf",
            "Linden & Sœur",
            28.95,
            310,
            "canvas shopping everyday",
            "Sixteen-ounce cotton with a flat bottom, so that eggs stand upright on the way home. "
            "The handles go over a winter coat.",
            (),
            (("Colour", ["Sand", "Sea", "Rose", "Slate"]),),
        ),
        Product(
            "Postmaster Satchel",
            satchel,
            "a leather satchel with two buckles",
            "Hollin & Strap",
            245.00,
            1480,
            "leather office gift",
            "Vegetable-tanned leather, linen thread, brass. The buckles hide a magnet, because "
            "nobody has ever had time for two buckles at a station.",
            ("Fits A4 and a sandwich",),
            (
                ("Leather", ["Tan", "Chestnut", "Black"]),
                ("Width", ["36 cm", ("40 cm", 25.0, 1.15)]),
            ),
        ),
        Product(
            "Two Nights Duffel",
            duffel,
            "a round travel bag with leather handles",
            "Hollin & Strap",
            188.95,
            1620,
            "canvas travel weekend",
            "Exactly enough for two nights, or for five if you are sensible. It has feet, and it "
            "opens along its whole length.",
            ("38 l", "Cabin size"),
            (("Colour", ["Forest", "Ochre", "Ink"]),),
        ),
        Product(
            "Slim Fold Wallet",
            wallet,
            "a leather wallet with two cards and a snap",
            "Hollin & Strap",
            68.00,
            70,
            "leather gift everyday",
            "Six cards, some notes and one secret, in leather thin enough for a shirt pocket. "
            "The edges are burnished by hand.",
            (),
            (("Leather", ["Chestnut", "Tan", "Black"]),),
        ),
        Product(
            "Odds & Ends Pouch",
            pouch,
            "a striped zip pouch with a leather pull",
            "Linden & Sœur",
            21.50,
            85,
            "canvas travel gift",
            "For cables, crayons, or the coins of four countries. The zip is metal and runs like "
            "a tram.",
            (),
            (
                ("Colour", ["Tomato", "Sea", "Plum"]),
                ("Size", ["Small", ("Medium", 4.50, 1.4), ("Large", 8.00, 1.9)]),
            ),
        ),
        Product(
            "Grand Hotel Suitcase",
            suitcase,
            "a suitcase with leather straps and corners",
            "Maison Orlenne",
            318.00,
            3900,
            "travel luggage",
            "Vulcanised fibre over a frame of ash: light, loud in the colours of its day, and "
            "repairable in any town with a cobbler.",
            ("55 × 40 × 20 cm",),
            (("Colour", ["Sky", "Butter", "Tomato"]),),
            made_to_order=True,
        ),
        Product(
            "Rain Day Roll-Top",
            rolltop,
            "a waterproof roll-top bag with one buckle",
            "Hollin & Strap",
            98.00,
            890,
            "bicycle waterproof travel",
            "Welded, not sewn, so there is no seam for the rain to find. Three turns of the top, "
            "one buckle, and it hooks on to a bicycle rack.",
            ("24 l",),
            (("Colour", ["Ochre", "Charcoal", "Mint"]),),
        ),
        Product(
            "Saturday Basket",
            basket,
            "a woven basket with bread and greens",
            "Maison Orlenne",
            57.00,
            720,
            "basket shopping wicker",
            "Palm leaf, plaited by hand and sewn into a spiral, with handles that do not cut the "
            "fingers. It holds a market's worth and stands up by itself.",
            ("Contents not included",),
            ink="Natural",
        ),
    ],
)
