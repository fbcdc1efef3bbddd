"""Kitchen: what one cooks with."""

from product import Department, Product
from svg import (
    BRASS,
    DARK,
    STEEL,
    WOOD,
    Ink,
    disc,
    flat,
    grain,
    lathe,
    line,
    move,
    oval,
    rect,
    ring,
    shadow,
    shape,
    turn,
)


def kettle(k):
    return (
        shadow(108)
        + shape("M282 230q30-10 44-58l24 6q-8 70-64 96Z", k.d)
        + line("M128 190C120 84 280 84 272 190", DARK.m, 15)
        + line("M158 117q42-22 84 0", WOOD.d, 19)
        + lathe([(38, 178), (78, 194), (100, 244), (104, 290), (96, 306)], k)
        + oval(200, 180, 42, 8, k.dd)
        + shape("M160 178q40-28 80 0q-40 12-80 0Z", k.l)
        + disc(200, 156, 10, DARK.m)
    )


def saucepan(k):
    return move(
        -20,
        0,
        shadow(100, 176),
        rect(270, 206, 108, 17, WOOD.m, 8)
        + rect(270, 215, 108, 8, WOOD.d, 4)
        + rect(258, 204, 34, 20, STEEL.d, 5)
        + lathe([(96, 196), (96, 240), (96, 290), (88, 304)], k, 172)
        + oval(172, 196, 102, 13, k.dd)
        + shape("M74 194q98-62 196 0q-98 26-196 0Z", k.l)
        + shape("M200 158q60 12 70 36q-30 9-60 12Z", k.m, 0.7)
        + rect(160, 140, 24, 18, STEEL.d, 4)
        + oval(172, 140, 18, 7, WOOD.m),
    )


def skillet(k):
    return flat(
        turn(38, rect(276, 176, 120, 28, k.d, 12), disc(380, 190, 6, "#d8c9b6"), x=180, y=190),
        disc(174, 186, 116, k.d),
        disc(174, 186, 104, k.dd),
        disc(174, 188, 100, k.m),
        shape("M64 152l-14-8l14-14l18 6Z", k.d),
        ring(174, 188, 82, k.l, 2, 0.3),
        shape("M132 176c8-40 66-46 84-14c22 34-4 62-38 56c-34 4-54-14-46-42Z", "#fbf8f0"),
        disc(176, 186, 21, "#eeb63f"),
        oval(169, 179, 7, 4, "#f9dc8f"),
    )


def board(k):
    return flat(
        turn(
            -18,
            rect(92, 110, 206, 196, k.d, 26),
            rect(92, 104, 206, 196, k.m, 26),
            rect(176, 46, 40, 76, k.m, 16),
            disc(196, 68, 9, k.dd),
            grain(100, 110, 190, 180, k, 5),
        ),
        move(
            216,
            196,
            disc(0, 0, 36, "#c8483a"),
            disc(0, 0, 30, "#e27560"),
            *[turn(a, oval(0, -16, 6, 9, "#f2c58b"), x=0, y=0) for a in range(0, 360, 60)]
        ),
        move(150, 236, disc(0, 0, 26, "#c8483a"), oval(-8, -9, 7, 4, "#ea9480")),
        shape("M150 214q-8-8-2-16q6 4 4 14q8-8 14 0q-8 6-16 2Z", "#5d8050"),
    )


def knife(k):
    return flat(
        turn(
            -38,
            shape("M44 190H262V240C180 244 90 236 30 196Q34 190 44 190Z", STEEL.l),
            shape("M30 196C90 230 180 236 262 230V240C180 244 90 236 30 196Z", STEEL.d),
            rect(254, 184, 22, 50, STEEL.dd, 4),
            shape("M272 186H366Q384 190 378 214Q374 232 354 226Q320 216 272 226Z", k.m),
            shape("M272 212Q330 206 378 212Q374 232 354 226Q320 216 272 226Z", k.d),
            *[disc(x, 203, 5, BRASS.l) for x in (292, 322, 352)]
        )
    )


def mortar(k):
    return (
        shadow(92)
        + turn(
            28,
            lathe([(15, 84), (13, 140), (20, 210), (24, 230)], WOOD, 214),
            oval(214, 84, 15, 8, WOOD.l),
            x=214,
            y=200,
        )
        + lathe([(46, 290), (66, 308)], k)
        + lathe([(106, 198), (104, 226), (84, 274), (56, 296)], k)
        + shape("M94 198A106 14 0 0 0 306 198Q200 176 94 198Z", k.l)
        + shape("M108 200A92 9 0 0 0 292 200Q200 212 108 200Z", k.dd, 0.7)
    )


def jar(k):
    return (
        shadow(76)
        + lathe([(60, 146), (70, 166), (72, 230), (72, 288), (62, 306)], k)
        + rect(152, 208, 96, 58, "#fbf7ee", 5)
        + line("M168 228h64M168 244h40", k.dd, 4, 0.6)
        + lathe([(58, 112), (56, 134), (54, 148)], WOOD, 200)
        + oval(200, 112, 58, 8, WOOD.l)
    )


def rollingpin(k):
    return flat(
        turn(
            -34,
            rect(24, 188, 60, 24, k.d, 12),
            rect(316, 188, 60, 24, k.d, 12),
            rect(74, 164, 252, 72, k.m, 16),
            rect(74, 208, 252, 28, k.d, 12, 0.7),
            rect(90, 174, 220, 8, k.ll, 4, 0.6),
            grain(90, 176, 220, 46, k, 3),
        )
    )


def colander(k):
    dots = "".join(
        disc(200 + x, y, 5, k.ddd, 0.75)
        for y, row in (
            (216, (-76, -46, -16, 16, 46, 76)),
            (240, (-60, -31, 0, 31, 60)),
            (263, (-42, -14, 14, 42)),
        )
        for x in row
    )
    return (
        shadow(80)
        + lathe([(48, 286), (58, 308)], k)
        + line("M88 188c-36 0-36 32 2 30M312 188c36 0 36 32-2 30", k.d, 10)
        + lathe([(118, 182), (110, 224), (82, 272), (50, 290)], k, 200, k.dd, k.ll)
        + dots
    )


def spoons(k):
    def spoon(angle, head):
        return turn(angle, rect(194, 130, 12, 130, k.d, 5), head, x=200, y=290)

    pot = Ink("Slate")
    return (
        shadow(70)
        + spoon(-17, oval(200, 108, 22, 34, k.m) + oval(198, 108, 14, 25, k.d))
        + spoon(
            16,
            shape("M180 76q20-10 42 4l-6 60q-16 10-30 0Z", k.l)
            + rect(193, 92, 5, 32, k.dd, 2)
            + rect(204, 92, 5, 32, k.dd, 2),
        )
        + spoon(0, oval(200, 92, 20, 30, k.l) + oval(200, 92, 12, 21, k.m))
        + lathe([(52, 200), (56, 230), (56, 290), (50, 306)], pot, 200, pot.ddd, pot.l)
    )


KITCHEN = Department(
    "Kitchen",
    "KI",
    "Home & Garden > Kitchen & Dining > Cookware & Bakeware",
    ("#e6d8c6", "#d6dee2", "#dfe2d2"),
    [
        Product(
            "Low Tide Kettle",
            kettle,
            "an enamelled stove kettle with a bail handle",
            "Brühlmoor Werkstatt",
            74.00,
            1420,
            "enamel tea stove",
            "Two layers of enamel over steel, a wide base that catches the whole flame, and a "
            "whistle you can switch off before breakfast. The handle folds down for the shelf.",
            ("2.1 l", "For gas, electric and induction"),
            (("Colour", ["Sea", "Cream", "Tomato", "Charcoal"]),),
            was=89.00,
        ),
        Product(
            "Saucepan with a Wooden Handle",
            saucepan,
            "a pan with lid and a long wooden handle",
            "Brühlmoor Werkstatt",
            62.50,
            1680,
            "steel sauce induction",
            "Three layers of metal, so that milk does not catch and caramel browns evenly. The "
            "handle is beech and stays cool; it unscrews when it is time for a new one.",
            (),
            (
                ("Finish", ["Steel", "Copper"]),
                ("Size", [("1.2 l", -8.0, 0.8), "2 l", ("3 l", 14.0, 1.3)]),
            ),
        ),
        Product(
            "Long-Handled Iron Skillet",
            skillet,
            "an iron pan from above, with a fried egg",
            "Ambosshof",
            58.00,
            2350,
            "iron skillet camping",
            "Cast in sand, ground smooth by hand and seasoned twice with linseed oil. It weighs "
            "what it should, and in ten years it will be better than today.",
            ("Arrives ready to use", "Made for campfires as well"),
            ink="Iron",
            options=(("Size", [("20 cm", -14.0, 0.6), "26 cm", ("30 cm", 16.0, 1.4)]),),
        ),
        Product(
            "End-of-Day Chopping Board",
            board,
            "a rounded wooden board with tomatoes on it",
            "Nørvang Træ",
            46.00,
            1900,
            "wood board serving",
            "One plank, one handle, one hole to hang it by. The edge is bevelled underneath, so "
            "that fingers find it when it lies flat on the counter.",
            ("Oiled with linseed, nothing else",),
            (("Wood", ["Oak", "Walnut", "Cherry"]), ("Size", ["Small", ("Large", 18.0, 1.6)])),
        ),
        Product(
            "Ambosshof Chef's Knife, 8\" Blade",
            knife,
            "a kitchen knife with three brass rivets",
            "Ambosshof",
            96.00,
            240,
            "knife steel gift",
            "Forged from a single bar and ground thin behind the edge, with a belly that rocks "
            "well. It takes a stone gladly.|Please wash it by hand; it will thank you for years.",
            ('Blade 20 cm (8")', "Hardened to 60 HRC"),
            (("Wood", ["Walnut", "Olive wood", "Beech"]),),
        ),
        Product(
            "Mortar and Pestle",
            mortar,
            "a wide stone mortar with a wooden pestle",
            "Tarnholt",
            38.95,
            2700,
            "stone spices pesto",
            "Heavy enough to stay where it is while you lean into the garlic. The inside is left "
            "rough, the outside polished.",
            ("14 cm across",),
            (("Colour", ["Grey", "Chalk", "Black"]),),
        ),
        Product(
            "Pantry Jar with Oak Lid",
            jar,
            "a lidded jar with a paper label",
            "Wexcombe Pottery",
            21.00,
            640,
            "storage flour coffee",
            "Keeps flour dry and coffee dark. The oak lid has a soft ring of cork, and the glaze "
            "takes chalk, so that labels may change with the season.",
            (),
            (
                ("Colour", ["Mint", "Butter", "Slate"]),
                ("Size", ["0.6 l", ("1.2 l", 7.0, 1.5), ("2.4 l", 15.0, 2.2)]),
            ),
            was=25.00,
        ),
        Product(
            "Straight Rolling Pin",
            rollingpin,
            "a wooden rolling pin with two handles",
            "Nørvang Træ",
            28.00,
            720,
            "wood baking",
            "Turned from one piece with handles that spin on their own pegs. It is a little "
            "thicker than most, so it does more of the work.",
            ("42 cm long",),
            (("Wood", ["Beech", "Cherry"]),),
        ),
        Product(
            "Footed Colander",
            colander,
            "a colander with two handles on a foot",
            "Brühlmoor Werkstatt",
            36.50,
            890,
            "enamel pasta salad",
            "Three hundred holes, pressed inwards so that nothing catches. It is pretty enough "
            "to go straight to the table with the strawberries.",
            ("24 cm across",),
            (("Colour", ["Sky", "White", "Moss"]),),
        ),
        Product(
            "Three Spoons for Stirring",
            spoons,
            "three wooden spoons in a stone pot",
            "Nørvang Træ",
            19.80,
            210,
            "wood cooking set gift",
            "A round one for soup, a flat one for the corners of the pan, and a slotted one for "
            "whatever should drip. Carved green and dried slowly, so they do not split.",
            ("Pot not included",),
            (("Wood", ["Cherry", "Olive wood"]),),
        ),
    ],
)
