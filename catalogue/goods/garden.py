"""Garden: what one digs, waters and waits with."""

from product import Department, Product
from svg import (
    BRASS,
    DARK,
    LEAF,
    PAPER,
    STEEL,
    WOOD,
    Ink,
    disc,
    flat,
    lathe,
    leaf,
    line,
    move,
    oval,
    poly,
    rect,
    ring,
    shadow,
    shape,
    turn,
)


def wateringcan(k):
    return move(
        -8,
        0,
        shadow(112, 190)
        + line("M138 178C138 84 262 84 262 178", k.d, 12)
        + line("M116 208C54 196 50 288 116 284", k.d, 12)
        + shape("M252 258L336 150L352 160L262 300Z", k.d)
        + shape("M320 138L372 172L362 186L318 156Z", k.m)
        + turn(
            33,
            oval(346, 154, 32, 9, k.l),
            *[disc(x, 154, 2.5, k.ddd) for x in (326, 340, 354, 368)],
            x=346,
            y=154,
        )
        + lathe([(76, 186), (80, 230), (84, 290), (82, 304)], k, 190, k.dd)
        + line("M108 270Q190 290 272 270", k.l, 5, 0.7),
    )


def trowels(k):
    grip = rect(-12, 30, 24, 110, k.m, 12) + rect(0, 30, 12, 110, k.d, 6) + disc(0, 126, 4, PAPER.m)
    grip += rect(-8, -8, 16, 46, STEEL.dd, 4)
    blade = shape("M0-140Q36-96 34-40Q30-8 0-8T-34-40Q-36-96 0-140Z", STEEL.m)
    blade += shape("M0-140Q36-96 34-40Q30-8 0-8Z", STEEL.d) + line("M0-104V-26", STEEL.l, 4)
    fork = line("M-30-128V-52Q-30-20 0-20T30-52V-128M0-128V-10", STEEL.m, 11)
    fork += line("M30-52V-128", STEEL.d, 11)
    return flat(
        turn(-12, move(138, 200, blade, grip), x=138), turn(12, move(262, 200, fork, grip), x=262)
    )


def secateurs(k):
    return flat(
        turn(
            32,
            line("M206 214Q238 250 226 338", k.d, 26),
            line("M192 214Q150 254 160 338", k.m, 26),
            line("M160 262Q154 296 156 330", k.ll, 4, 0.6),
            shape("M186 214Q160 140 194 66Q214 130 214 206Z", STEEL.m),
            shape("M194 66Q214 130 214 206L202 210Q208 130 194 66Z", STEEL.d),
            shape("M214 212Q258 166 236 104Q226 150 196 190Z", STEEL.dd),
            line("M184 250q14 8 28 0", STEEL.dd, 6),
            disc(200, 210, 18, STEEL.l),
            disc(200, 210, 8, STEEL.dd),
        ),
        leaf(126, 158, 60, -40, LEAF.m),
        leaf(126, 158, 48, 26, LEAF.d),
    )


def plantpot(k):
    fronds = (
        (-74, 116, "#5f8458"),
        (74, 112, "#557a50"),
        (-48, 138, "#6d9463"),
        (50, 134, "#78a06d"),
        (-20, 150, "#7fa873"),
        (22, 152, "#5f8458"),
        (0, 142, "#8ab57d"),
    )
    return (
        "".join(leaf(200, 206, size, angle, colour) for angle, size, colour in fronds)
        + shadow(76)
        + oval(200, 306, 76, 11, k.d)
        + lathe([(66, 226), (56, 290), (52, 300)], k)
        + lathe([(76, 200), (74, 222), (73, 230)], k, 200, "#4d3a2e", k.l)
    )


def birdhouse(k):
    return (
        rect(192, 286, 16, 114, WOOD.d)
        + rect(122, 160, 156, 136, k.m)
        + poly([(122, 162), (200, 96), (278, 162)], k.m)
        + rect(224, 140, 54, 156, k.d)
        + line("M161 132v164M200 100v196M239 132v164", k.dd, 2, 0.5)
        + disc(200, 190, 29, k.dd)
        + disc(200, 192, 24, "#2d2723")
        + rect(194, 234, 12, 10, WOOD.dd, 4)
        + disc(200, 240, 7, WOOD.m)
        + poly([(96, 178), (200, 84), (304, 178), (292, 192), (200, 110), (108, 192)], WOOD.dd)
        + poly([(96, 178), (200, 84), (200, 110), (108, 192)], WOOD.d)
        + rect(112, 292, 176, 12, WOOD.d, 3)
        + move(
            262,
            268,
            oval(0, 0, 25, 17, "#c96f4a"),
            disc(19, -14, 13, "#7b8b99"),
            poly([(31, -16), (42, -11), (31, -9)], "#e2a63f"),
            disc(22, -17, 2, "#222"),
            shape("M-18-8L-48 4L-20 10Z", "#66757f"),
            oval(-5, -3, 15, 9, "#66757f"),
        )
    )


def bucket(k):
    return (
        shadow(84)
        + line("M112 176C84 66 316 66 288 176", STEEL.dd, 6)
        + rect(172, 84, 56, 20, WOOD.m, 9)
        + lathe([(92, 172), (84, 230), (70, 296), (68, 304)], k, 200, k.dd, k.l)
        + line("M114 214Q200 240 286 214M122 262Q200 284 278 262", k.d, 5, 0.8)
        + disc(112, 180, 9, STEEL.d)
        + disc(288, 180, 9, STEEL.d)
    )


def trug(k):
    slats = "".join(
        line(
            f"M{80 + i * 7} {226 + i * 22}Q200 {246 + i * 22} {320 - i * 7} {226 + i * 22}", k.d, 3
        )
        for i in range(1, 4)
    )
    greens = "".join(
        leaf(x, 216, size, angle, colour)
        for x, size, angle, colour in (
            (130, 60, -24, "#6d9463"),
            (150, 66, 8, "#5f8458"),
            (170, 56, 30, "#7fa873"),
        )
    )
    return (
        shadow(112)
        + line("M96 222C96 60 304 60 304 222", k.d, 15)
        + line("M96 216C98 66 302 66 304 216", k.l, 4)
        + greens
        + shape("M206 214l24-56q12-10 18 4l-6 56Z", "#df8a3c")
        + leaf(240, 164, 34, 20, LEAF.m)
        + disc(266, 204, 24, "#c8483a")
        + disc(226, 206, 22, "#d9604f")
        + oval(258, 194, 6, 4, "#f0a797")
        + shape("M66 208Q200 236 334 208Q332 300 276 312H124Q68 300 66 208Z", k.m)
        + shape("M292 216Q312 213 334 208Q332 300 276 312H250Q290 280 292 216Z", k.d, 0.6)
        + slats
        + shape("M66 208Q200 236 334 208L332 222Q200 250 68 222Z", k.l)
    )


def wheelbarrow(k):
    return move(
        -22,
        0,
        shadow(146)
        + line("M380 176L262 238L150 284", WOOD.d, 12)
        + line("M268 240L290 310", DARK.m, 10)
        + line("M276 310h28", DARK.m, 10)
        + shape("M122 196Q116 174 144 180Q168 132 214 160Q256 132 288 184Z", "#6b4c3a")
        + shape("M74 178H322L272 262H152Q128 262 116 244Z", k.m)
        + shape("M276 178H322L272 262H228Z", k.d, 0.7)
        + rect(66, 172, 264, 14, k.l, 7)
        + leaf(196, 158, 46, -14, LEAF.m)
        + leaf(196, 158, 40, 34, LEAF.d)
        + line("M150 262L118 282", DARK.m, 9)
        + disc(112, 280, 38, DARK.m)
        + disc(112, 280, 25, "#d9d4c8")
        + line("M112 256v48M88 280h48", DARK.m, 5)
        + disc(112, 280, 8, k.d)
        + line("M362 186L380 176", DARK.m, 15),
    )


def seeds(k):
    def packet(angle, ink, flower):
        return turn(
            angle,
            rect(136, 96, 128, 190, "#f7f0df", 4),
            rect(136, 96, 128, 26, ink.m, 4),
            rect(136, 250, 128, 36, ink.m, 4),
            line("M200 244V180", "#6d8f5e", 5),
            leaf(200, 228, 34, 62, LEAF.m),
            leaf(200, 236, 34, -62, LEAF.m),
            flower,
            line("M166 268h68", "#fff", 4, 0.7),
            x=200,
            y=330,
        )

    daisy = "".join(
        turn(a, oval(200, 146, 8, 17, "#e7a13c"), x=200, y=166) for a in range(0, 360, 45)
    )
    tulip = shape("M178 146l12 10l10-16l10 16l12-10q4 44-22 44t-22-44Z", "#c95d74")
    bell = shape("M182 186q2-40 18-40t18 40l-9-6l-9 8l-9-8Z", "#7286c4")
    return flat(
        packet(-24, Ink("Sea"), daisy + disc(200, 166, 11, "#6b4327")),
        packet(22, Ink("Plum"), bell),
        packet(-2, k, tulip),
    )


def boots(k):
    def boot():
        return (
            shape("M0 0H78Q82 60 78 124Q120 136 142 160Q150 176 148 190H4Q-2 90 0 0Z", k.m)
            + shape(
                "M50 0H78Q82 60 78 124Q120 136 142 160Q150 176 148 190H110Q96 150 58 134Q58 60 50 0Z",
                k.d,
                0.55,
            )
            + shape("M2 186H149Q152 210 146 210H8Q0 210 2 186Z", k.ddd)
            + rect(-3, 0, 84, 18, k.ll, 4, 0.55)
            + line("M14 30V120", k.ll, 6, 0.5)
            + rect(52, 30, 24, 9, k.ddd, 3)
            + ring(72, 34, 8, BRASS.m, 3)
        )

    return shadow(132, 206) + move(172, 98, boot()) + move(84, 106, boot())


GARDEN = Department(
    "Garden",
    "GA",
    "Home & Garden > Lawn & Garden > Gardening",
    ("#d9e0cd", "#e5dac8", "#d2dfdf"),
    [
        Product(
            "Long Reach Watering Can",
            wateringcan,
            "a watering can with a long spout and a rose",
            "Gärtnerei Moosbach",
            52.00,
            1250,
            "watering metal",
            "The spout is long enough for the back row, and the rose gives rain rather than a "
            "flood. Two handles, one for carrying and one for tipping.",
            (),
            (("Colour", ["Sea", "Moss", "Butter"]), ("Size", [("4 l", -9.0, 0.7), "7 l"])),
        ),
        Product(
            "Trowel & Fork",
            trowels,
            "a hand trowel and a hand fork with wooden handles",
            "Gärtnerei Moosbach",
            36.00,
            540,
            "digging steel wood set",
            "A trowel that goes in without persuasion, and a fork that gets dandelions out whole. "
            "Both are forged in one piece up to the handle.",
            ("Holes for hanging",),
            (("Wood", ["Ash", "Cherry"]),),
            was=44.00,
        ),
        Product(
            "Rose Secateurs",
            secateurs,
            "garden shears with coloured handles and two leaves",
            "Ambosshof",
            58.95,
            230,
            "pruning steel",
            "A bypass cut as clean as a razor's, for stems up to a thumb. Every part can be "
            "replaced, even the spring.",
            ("For right and left hands",),
            (("Colour", ["Tomato", "Forest"]),),
        ),
        Product(
            "Everyday Plant Pot",
            plantpot,
            "a leafy plant in a pot with a saucer",
            "Wexcombe Pottery",
            18.95,
            1100,
            "plants stoneware indoor",
            "A pot with a hole, and a saucer that belongs to it. It breathes a little, as roots "
            "like it to.",
            ("Plant not included",),
            (
                ("Colour", ["Clay", "Chalk", "Ink", "Mint"]),
                ("Size", [("12 cm", -7.0, 0.5), "18 cm", ("26 cm", 15.0, 2.3)]),
            ),
        ),
        Product(
            "House for Blue Tits",
            birdhouse,
            "a nesting box on a post, with a bird on its step",
            "Nørvang Træ",
            41.00,
            1900,
            "birds wood gift",
            "Thick boards for warm nights, an entrance of 28 mm and a floor that lifts out for the "
            "autumn clean. Hang it before March and keep your fingers crossed.",
            (),
            (("Colour", ["Sky", "Tomato", "Cream"]),),
        ),
        Product(
            "Galvanised Bucket",
            bucket,
            "a bucket with a wooden grip on its handle",
            "Calderfoot Tools",
            24.00,
            1050,
            "metal storage",
            "For compost, coal, ice and tulips on market day. The rim is rolled around a wire, so "
            "it stays round.",
            ("10 l",),
            (("Finish", ["Steel", "Copper"]),),
        ),
        Product(
            "Harvest Trug",
            trug,
            "a handled basket with carrots, tomatoes and leaves",
            "Nørvang Træ",
            63.00,
            980,
            "harvest wood basket",
            "Made of thin boards bent over steam, with a handle that stays out of the way of "
            "lettuces. It floats, if it should come to that.",
            ("46 × 28 cm",),
            (("Wood", ["Ash", "Walnut"]),),
        ),
        Product(
            "Cottage Wheelbarrow",
            wheelbarrow,
            "a wheelbarrow full of earth with a seedling",
            "Calderfoot Tools",
            168.95,
            14500,
            "digging metal",
            "One wheel, two good handles, and a tray that tips clean. The tyre is solid, so thorns "
            "are no news to it.",
            ("85 l", "Comes in two parts and four bolts"),
            (("Colour", ["Forest", "Tomato"]),),
            made_to_order=True,
        ),
        Product(
            "Three Packets of Old Seeds",
            seeds,
            "three seed packets with painted flowers",
            "Gärtnerei Moosbach",
            8.90,
            40,
            "seeds flowers gift",
            "Sunflower, tulip poppy and bellflower: open-pollinated kinds that come true from "
            "their own seed. Sow, wait, collect, and give some away.",
            ("Enough for nine square metres",),
            ink="Moss",
        ),
        Product(
            "Puddle Boots",
            boots,
            "a pair of rubber boots with a buckle",
            "Gärtnerei Moosbach",
            68.95,
            1700,
            "rubber rain boots",
            "Natural rubber over cotton, pulled over the last by hand. The sole lets go of clay "
            "with one good stamp.",
            (),
            (("Colour", ["Forest", "Ochre", "Ink"]), ("Size", ["37", "39", "41", "43"])),
        ),
    ],
)
