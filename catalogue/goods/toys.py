"""Toys: what one plays with."""

from product import Department, Product
from svg import (
    BRASS,
    DARK,
    PAPER,
    STEEL,
    WOOD,
    Ink,
    disc,
    flat,
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

RED, YELLOW, BLUE, GREEN = Ink("Tomato"), Ink("Butter"), Ink("Sky"), Ink("Moss")


def train(k):
    def wheel(x, r):
        return (
            disc(x, 312 - r, r, DARK.m)
            + disc(x, 312 - r, r * 0.6, WOOD.m)
            + disc(x, 312 - r, r * 0.2, DARK.m)
        )

    return (
        shadow(146)
        + rect(52, 262, 296, 20, WOOD.d, 6)
        + rect(216, 150, 108, 114, k.m, 8)
        + rect(282, 150, 42, 114, k.d, 8)
        + rect(238, 172, 62, 48, "#dfeaf0", 6)
        + rect(202, 130, 136, 24, RED.m, 10)
        + rect(72, 190, 150, 74, k.l, 30)
        + rect(72, 228, 150, 36, k.m, 16)
        + rect(140, 190, 14, 74, BRASS.m)
        + rect(96, 140, 34, 58, DARK.m, 4)
        + rect(86, 128, 54, 20, RED.m, 8)
        + disc(74, 228, 12, BRASS.l)
        + move(
            84,
            96,
            disc(0, 0, 17, "#fff", 0.8),
            disc(24, -24, 22, "#fff", 0.7),
            disc(62, -40, 16, "#fff", 0.55),
        )
        + wheel(104, 27)
        + wheel(176, 27)
        + wheel(276, 38)
        + poly([(46, 266), (64, 266), (64, 300), (28, 300)], RED.d)
    )


def blocks(k):
    def block(x, y, ink, mark):
        return (
            rect(x, y, 84, 84, ink.m, 8)
            + rect(x + 62, y, 22, 84, ink.d, 8, 0.6)
            + rect(x + 10, y + 10, 64, 64, ink.l, 6)
            + mark
        )

    star = poly(
        [
            (200, 66),
            (207, 82),
            (224, 83),
            (211, 94),
            (216, 111),
            (200, 101),
            (184, 111),
            (189, 94),
            (176, 83),
            (193, 82),
        ],
        RED.m,
    )
    return (
        shadow(140)
        + block(70, 230, RED, disc(112, 272, 20, PAPER.m))
        + block(158, 230, BLUE, poly([(200, 250), (222, 290), (178, 290)], PAPER.m))
        + block(246, 230, YELLOW, rect(270, 254, 36, 36, RED.m, 3))
        + block(112, 144, GREEN, poly([(154, 164), (176, 186), (154, 208), (132, 186)], PAPER.m))
        + block(204, 144, k, ring(246, 186, 16, PAPER.m, 9))
        + turn(-6, block(158, 56, PAPER, star), x=200, y=98)
    )


def top(k):
    return (
        shadow(58, 204)
        + turn(
            9,
            rect(193, 74, 14, 70, WOOD.m, 6),
            disc(200, 74, 13, RED.m),
            shape("M92 190Q100 140 200 138T308 190Q280 262 206 306H194Q120 262 92 190Z", k.m),
            shape("M250 142Q304 152 308 190Q280 262 206 306H200Q268 240 250 142Z", k.d, 0.6),
            shape(
                "M92 190Q200 230 308 190Q304 204 298 214Q200 252 102 214Q96 204 92 190Z", YELLOW.m
            ),
            shape("M122 242Q200 270 278 242L264 258Q200 284 136 258Z", PAPER.m),
            line("M122 170Q140 156 168 152", "#fff", 7, 0.5),
            shape("M194 304H206L200 322Z", STEEL.d),
            x=200,
            y=312,
        )
        + line("M70 286Q56 270 66 250M334 270Q344 254 336 238", "#fff", 5, 0.7)
    )


def kite(k):
    bows = "".join(
        turn(
            a,
            poly([(x, y), (x - 17, y - 10), (x - 17, y + 10)], c)
            + poly([(x, y), (x + 17, y - 10), (x + 17, y + 10)], c),
            x=x,
            y=y,
        )
        for x, y, a, c in ((196, 302, 20, YELLOW.m), (232, 332, -10, RED.m), (276, 336, 25, BLUE.m))
    )
    return flat(
        line("M214 268Q180 300 212 322T284 336T350 316", PAPER.dd, 4),
        bows,
        turn(
            14,
            poly([(200, 44), (290, 142), (200, 274), (110, 142)], k.m),
            poly([(200, 44), (290, 142), (200, 142)], YELLOW.m),
            poly([(110, 142), (200, 142), (200, 274)], k.d),
            poly([(200, 142), (290, 142), (200, 274)], PAPER.m),
            line("M200 46V272M112 142H288", WOOD.dd, 5),
            disc(200, 142, 8, WOOD.dd),
        ),
    )


def bear(k):
    return (
        shadow(98)
        + disc(140, 106, 27, k.m)
        + disc(260, 106, 27, k.m)
        + disc(140, 106, 14, k.ll)
        + disc(260, 106, 14, k.ll)
        + turn(24, oval(122, 232, 25, 50, k.d), x=122, y=232)
        + turn(-24, oval(278, 232, 25, 50, k.d), x=278, y=232)
        + oval(200, 252, 76, 66, k.m)
        + oval(200, 260, 46, 44, k.ll)
        + oval(140, 296, 40, 25, k.d)
        + oval(260, 296, 40, 25, k.d)
        + oval(132, 296, 20, 17, k.ll)
        + oval(268, 296, 20, 17, k.ll)
        + oval(200, 146, 82, 70, k.m)
        + oval(200, 170, 38, 29, k.ll)
        + disc(166, 138, 7, DARK.dd)
        + disc(234, 138, 7, DARK.dd)
        + oval(200, 158, 13, 9, DARK.dd)
        + line("M200 166v10q-8 8-16 4M200 176q8 8 16 4", DARK.dd, 3)
        + poly([(200, 216), (158, 198), (158, 234)], RED.m)
        + poly([(200, 216), (242, 198), (242, 234)], RED.m)
        + disc(200, 216, 11, RED.d)
    )


def rings(k):
    inks = (RED, Ink("Ochre"), YELLOW, Ink("Mint"), k)
    out = ""
    for i, ink in enumerate(reversed(inks)):
        w, y = 198 - i * 24, 256 - i * 36
        out += (
            rect(200 - w / 2, y, w, 38, ink.m, 19)
            + rect(200 + w * 0.16, y, w * 0.34, 38, ink.d, 19, 0.6)
            + rect(200 - w / 2 + 20, y + 7, w * 0.3, 6, ink.ll, 3, 0.7)
        )
    return (
        shadow(112)
        + rect(192, 70, 16, 60, WOOD.m, 8)
        + out
        + rect(92, 292, 216, 22, WOOD.m, 9)
        + rect(92, 304, 216, 10, WOOD.d, 5)
        + disc(200, 80, 21, RED.m)
        + oval(194, 73, 6, 4, RED.ll)
    )


def boat(k):
    return (
        shape("M20 292H400V400H20Z", "#8fb6c6", 0.6)
        + rect(196, 62, 9, 200, WOOD.d, 3)
        + shape("M190 78V248H96Q160 180 190 78Z", PAPER.ll)
        + shape("M190 200V248H96Q118 226 136 200Z", k.m)
        + shape("M211 96Q270 170 296 248H211Z", k.ll)
        + shape("M211 62L246 74L211 88Z", RED.m)
        + shape("M72 258H328Q316 320 272 326H128Q84 320 72 258Z", k.m)
        + shape("M262 258H328Q316 320 272 326H230Q262 300 262 258Z", k.d, 0.6)
        + rect(66, 250, 268, 16, WOOD.m, 7)
        + line("M84 288H318", PAPER.m, 5, 0.8)
        + line("M40 334q20-12 40 0t40 0t40 0t40 0t40 0t40 0t40 0t40 0", "#fff", 5, 0.7)
    )


def abacus(k):
    rows = ""
    for y, split, ink in (
        (112, 4, RED),
        (152, 7, k),
        (192, 2, YELLOW),
        (232, 6, GREEN),
        (272, 5, BLUE),
    ):
        rows += line(f"M84 {y}H316", STEEL.dd, 4)
        for i in range(9):
            x = 98 + i * 20 if i < split else 302 - (8 - i) * 20
            rows += oval(x, y, 9, 15, ink.m if i % 2 else ink.d)
    return (
        shadow(136)
        + rect(62, 76, 276, 16, WOOD.l, 6)
        + rows
        + rect(62, 76, 22, 242, WOOD.m, 6)
        + rect(316, 76, 22, 242, WOOD.d, 6)
        + rect(62, 294, 276, 20, WOOD.m, 6)
        + rect(48, 308, 48, 12, WOOD.dd, 5)
        + rect(304, 308, 48, 12, WOOD.dd, 5)
    )


def dominoes(k):
    spots = {
        1: ((0, 0),),
        2: ((-1, -1), (1, 1)),
        3: ((-1, -1), (0, 0), (1, 1)),
        4: ((-1, -1), (1, 1), (-1, 1), (1, -1)),
        5: ((-1, -1), (1, 1), (-1, 1), (1, -1), (0, 0)),
        6: ((-1, -1), (1, 1), (-1, 1), (1, -1), (-1, 0), (1, 0)),
    }

    def tile(x, y, angle, high, low):
        dots = "".join(
            disc(16 * dx, side + 16 * dy, 6, PAPER.ll)
            for side, n in ((-38, high), (38, low))
            for dx, dy in spots[n]
        )
        return move(
            x,
            y,
            turn(
                angle,
                rect(-38, -71, 76, 152, k.dd, 10),
                rect(-38, -76, 76, 152, k.m, 10),
                line("M-26 0H26", k.ll, 4),
                dots,
                x=0,
                y=0,
            ),
        )

    return flat(tile(120, 148, -14, 6, 3), tile(204, 274, 80, 3, 5), tile(276, 138, 20, 4, 1))


TOYS = Department(
    "Toys",
    "TY",
    "Toys & Games > Toys",
    ("#dce3ea", "#eadfca", "#dfe5d6"),
    [
        Product(
            "Little Shunter",
            train,
            "a wooden engine with a red roof and a puff of steam",
            "Ardleigh Toyworks",
            44.00,
            780,
            "wood children gift",
            "An engine for the kitchen floor, without batteries, rails or a timetable. The wheels "
            "are turned from ash and roll with a satisfying rumble.",
            ("From two years",),
            (("Colour", ["Sea", "Forest", "Ochre"]),),
        ),
        Product(
            "Six Painted Blocks",
            blocks,
            "painted blocks with simple shapes, stacked in a pyramid",
            "Ardleigh Toyworks",
            28.00,
            640,
            "wood children building",
            "Six faces times six blocks make a city or a face or an afternoon. The paint is safe "
            "to chew, and it has been chewed.",
            ("From one year",),
            ink="Plum",
        ),
        Product(
            "Humming Top",
            top,
            "a striped spinning top in motion",
            "Ardleigh Toyworks",
            24.50,
            310,
            "children gift classic",
            "Press the knob three times and let it go. It hums a chord in A, roughly, and "
            "wanders.",
            (),
            (("Colour", ["Sky", "Tomato", "Moss"]),),
        ),
        Product(
            "High Wind Kite",
            kite,
            "a diamond kite in four colours with bows on its tail",
            "Ardleigh Toyworks",
            36.00,
            260,
            "outdoor children",
            "Spinnaker cloth on ash spars, with a tail of bows that does real work. It goes up in "
            "the wind that other kites stay home for.",
            ("Line of 60 m included",),
            (("Colour", ["Sea", "Plum"]),),
            was=42.00,
        ),
        Product(
            "Bear Called Otto",
            bear,
            "a sitting teddy bear with a red bow tie",
            "Linden & Sœur",
            52.00,
            380,
            "children soft gift",
            "Otto is filled with wool and sits by himself. His eyes are sewn, his bow tie is "
            "his own choice, and he may be washed at thirty degrees when he has to be.",
            ("32 cm sitting", "From birth"),
            (("Colour", ["Tan", "Cream", "Slate"]),),
        ),
        Product(
            "Stacking Rings",
            rings,
            "five rings in falling size on a wooden peg",
            "Ardleigh Toyworks",
            26.00,
            520,
            "wood children baby",
            "Five rings, one right order and a hundred and nineteen funny ones. The peg is "
            "rounded and wobbles on purpose.",
            ("From nine months",),
            ink="Sea",
        ),
        Product(
            "Bathtub Sloop",
            boat,
            "a sailing boat with two sails on the water",
            "Ardleigh Toyworks",
            33.00,
            290,
            "wood bath outdoor children",
            "She has a lead keel, a working rudder and a weakness for westerly winds. Suitable "
            "for bathtubs, ponds and slow rivers.",
            ("28 cm from stem to stern",),
            (("Colour", ["Tomato", "Ink", "Mint"]),),
        ),
        Product(
            "Counting Frame",
            abacus,
            "an abacus with beads in five colours",
            "Nørvang Træ",
            31.50,
            690,
            "wood school children",
            "Five wires and forty-five beads, for learning to count and for keeping score at "
            "cards. The beads stay where they are pushed.",
            (),
            ink="Plum",
        ),
        Product(
            "Travelling Dominoes",
            dominoes,
            "three dominoes laid against each other",
            "Quillmere",
            27.00,
            460,
            "game travel family",
            "Twenty-eight heavy tiles in a box with a sliding lid, small enough for a train "
            "table. The rules of four different games are printed inside the lid.",
            (),
            (("Colour", ["Black", "Forest"]),),
        ),
    ],
)
