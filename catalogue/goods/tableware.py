"""Tableware: what stands on the table."""

from product import Department, Product
from svg import (
    DARK,
    PAPER,
    STEEL,
    WOOD,
    disc,
    flat,
    lathe,
    line,
    move,
    oval,
    rect,
    ring,
    shadow,
    shape,
)


def mug(k):
    return (
        shadow(100, 208)
        + line("M258 190c62-18 66 82-8 76", k.d, 19)
        + lathe([(74, 148), (78, 180), (80, 240), (68, 290), (60, 304)], k, 190, k.dd)
        + line("M113 232q77 22 154 0", k.l, 4, 0.8)
    )


def mug_top(k):
    return flat(
        line("M288 172c52 4 52 60 0 58", k.d, 22),
        disc(196, 200, 104, k.m),
        disc(196, 200, 90, k.dd),
        disc(196, 203, 82, "#5b3a29"),
        oval(180, 186, 40, 20, "#7a5240", 0.6),
    )


def cup(k):
    return (
        shadow(128)
        + oval(200, 306, 126, 17, k.d)
        + oval(200, 301, 126, 17, k.l)
        + oval(200, 302, 78, 9, k.d)
        + line("M262 216c46-8 42 50-12 50", k.d, 13)
        + lathe([(72, 202), (70, 230), (54, 270), (32, 294)], k, 200, "#5b3a29")
    )


def plate(k):
    return flat(
        disc(200, 200, 136, k.m),
        disc(200, 200, 132, k.l),
        disc(200, 200, 92, k.m),
        disc(200, 202, 88, k.l),
        ring(200, 200, 121, k.dd, 4, 0.7),
        line("M118 168a90 90 0 0 1 60-58", "#fff", 6, 0.5),
    )


def bowl(k):
    return (
        shadow(84)
        + lathe([(50, 288), (46, 306)], k)
        + lathe([(124, 178), (120, 216), (86, 272), (50, 294)], k, 200, k.dd, k.ll)
        + line("M84 222q116 34 232 0", k.ll, 5, 0.5)
    )


def jug(k):
    return (
        shadow(84)
        + line("M262 170c66-6 56 104-6 98", k.d, 16)
        + lathe([(50, 116), (44, 150), (62, 200), (76, 250), (62, 306)], k)
        + shape("M150 118q-34-22-30-26q60-2 130 24q-50 14-100 2Z", k.l)
        + shape("M152 116q-18-14-18-18q52 0 106 18q-44 9-88 0Z", k.dd)
    )


def tumbler(k):
    def glass(x, y, s):
        return move(
            x,
            y,
            shape("M-50 0L-40 132Q0 146 40 132L50 0Z", k.m, 0.75),
            shape("M-46 56L-40 132Q0 146 40 132L46 56Q0 66-46 56Z", k.d, 0.55),
            shape("M18 8L14 138Q30 138 40 132L50 0Z", k.d, 0.4),
            oval(0, 0, 50, 7, k.ll),
            line("M-36 14L-28 122", "#fff", 6, 0.6),
            scale=s,
        )

    return shadow(60, 146) + shadow(60, 262) + glass(256, 160, 1) + glass(146, 184, 0.98)


def teapot(k):
    return (
        shadow(112)
        + shape("M278 222q48 4 62-74l20 6q-4 98-86 134Z", k.d)
        + line("M118 196c-64-10-58 88 8 78", k.d, 15)
        + lathe([(44, 172), (92, 200), (100, 246), (78, 294), (60, 306)], k)
        + oval(200, 174, 50, 9, k.dd)
        + shape("M152 172q48-46 96 0q-48 14-96 0Z", k.l)
        + disc(200, 142, 12, WOOD.m)
        + oval(196, 138, 4, 3, WOOD.ll)
    )


def cutlery(k):
    handle = rect(-7, 40, 14, 124, k.m, 7) + rect(1, 40, 6, 124, k.d, 3)
    fork = "".join(rect(x, -120, 6, 66, STEEL.m, 3) for x in (-20, -9, 3, 14))
    fork += shape("M-20-66H20Q22-22 5-6V44H-5V-6Q-22-22-20-66Z", STEEL.m)
    knife = shape("M-6 44V-112Q20-84 14-16L6 2V44Z", STEEL.m) + shape(
        "M-6 44V-112Q0-60 0 44Z", STEEL.l
    )
    spoon = oval(0, -78, 27, 42, STEEL.m) + oval(-2, -76, 19, 33, STEEL.d)
    spoon += shape("M-8-40H8L5 44H-5Z", STEEL.m)
    return flat(
        rect(70, 52, 260, 296, "#e9e3d6", 6),
        rect(84, 66, 232, 268, "#ddd5c4", 4, 0.6),
        move(130, 196, fork, handle),
        move(200, 196, knife, handle),
        move(270, 196, spoon, handle),
    )


def cakestand(k):
    cake = (
        rect(140, 118, 120, 60, "#e9c9a0", 6)
        + rect(140, 142, 120, 8, "#b5605a")
        + shape(
            "M136 126q0-22 20-22h88q20 0 20 22q-8 20-18 4q-10 22-22 2q-10 16-20-2"
            "q-10 24-22 2q-10 16-20-4q-16 20-26-2Z",
            "#fbf6ee",
        )
        + disc(200, 98, 10, "#c8433f")
    )
    return (
        shadow(70)
        + lathe([(16, 196), (12, 230), (16, 270), (58, 300), (62, 306)], k)
        + oval(200, 194, 126, 16, k.d)
        + oval(200, 186, 126, 16, k.l)
        + oval(200, 184, 70, 8, k.d, 0.5)
        + cake
    )


def shakers(k):
    def one(x, ink, holes, dy):
        return move(
            x - 200,
            dy,
            lathe([(30, 176), (34, 200), (46, 260), (44, 304)], ink),
            shape("M170 178q30-52 60 0q-30 9-60 0Z", WOOD.m),
            "".join(disc(200 + h, 164 + abs(h) / 5, 3, WOOD.ddd) for h in holes),
        )

    return (
        shadow(60, 146)
        + shadow(60, 258)
        + one(146, k, (-9, 0, 9), 0)
        + one(258, DARK if k.m != DARK.m else PAPER, (0,), 0)
    )


TABLEWARE = Department(
    "Tableware",
    "TW",
    "Home & Garden > Kitchen & Dining > Tableware",
    ("#d6dfdb", "#e4d8cb", "#d8dce6"),
    [
        Product(
            "Harrow Mug",
            mug,
            "a round-bellied stoneware mug with a looped handle",
            "Wexcombe Pottery",
            18.50,
            380,
            "stoneware coffee everyday gift",
            "A mug with a low belly and a handle that takes four fingers. It is thrown by hand, "
            "so no two are quite the same height.|The glaze stops short of the foot, and there "
            "the stoneware shows.",
            ("Holds what it says to the brim", "Dishwasher and microwave safe"),
            (
                ("Colour", ["Chalk", "Moss", "Clay", "Ink"]),
                ("Size", ["250 ml", ("350 ml", 3.50, 1.25)]),
            ),
            more=(("full", mug_top, "the mug from above, filled with coffee"),),
        ),
        Product(
            "Café au Lait Cup & Saucer",
            cup,
            "a wide cup on its saucer, filled with coffee",
            "Maison Orlenne",
            24.00,
            520,
            "porcelain coffee breakfast",
            "Wide enough to dip a croissant, low enough to stay warm to the last mouthful. Cup "
            "and saucer are cast from the same porcelain and fired together.",
            ("200 ml", "Saucer 16 cm across"),
            (("Colour", ["White", "Sky", "Rose"]),),
        ),
        Product(
            "Ridge Dinner Plate",
            plate,
            "a round plate with a fine darker ring, from above",
            "Wexcombe Pottery",
            22.00,
            690,
            "stoneware dinner stackable",
            "A flat, generous plate with a fine ring pressed into the rim by a wooden rib. The "
            "edge is thick enough to survive a busy sink.|Plates stack without scratching each "
            "other, because the foot is glazed too.",
            (),
            (
                ("Colour", ["Chalk", "Sea", "Charcoal"]),
                ("Size", [("21 cm", -5.0, 0.6), "27 cm", ("31 cm", 7.0, 1.4)]),
            ),
        ),
        Product(
            "Deep Noodle Bowl",
            bowl,
            "a deep bowl on a narrow foot",
            "Wexcombe Pottery",
            26.00,
            780,
            "stoneware soup noodles",
            "Made for a whole dinner in one dish: steep sides, a narrow foot that stays cool in "
            "the hand, and room for a litre of broth.",
            ("19 cm across, 9 cm high", "Oven safe to 220 °C"),
            (("Glaze", ["Sand", "Ink", "Tomato"]),),
            was=32.00,
        ),
        Product(
            "Milk Jug with a Straight Lip",
            jug,
            "a tall jug with a pouring lip and a handle",
            "Tarnholt",
            29.90,
            610,
            "stoneware milk flowers",
            "It pours in a clean line and does not drip, which is harder to make than it sounds. "
            "On days without milk it is a very good vase.",
            ("Holds 0.9 l",),
            (("Colour", ["Mint", "Cream", "Slate"]),),
        ),
        Product(
            "Hand-Blown Tumblers, Set of Two",
            tumbler,
            "two tapered drinking glasses, half full",
            "Glashütte Ebersroda",
            34.00,
            540,
            "glass water set",
            "Blown into a wooden mould, with a faint ripple that throws rings of light on the "
            "tablecloth. The rim is polished in the fire, so it feels soft to the lip.",
            ("0.25 l each", "Sold as a pair"),
            (("Glass", ["Clear", "Smoke", "Amber"]),),
        ),
        Product(
            "Fireside Teapot",
            teapot,
            "a round teapot with a wooden knob on its lid",
            "Tarnholt",
            68.00,
            1150,
            "tea stoneware gift",
            "A pot for four cups and a long conversation. A strainer is built into the spout, "
            "and the lid has a small tooth, so it stays on to the last pour.",
            ("1.1 l", "Knob of oiled oak"),
            (("Colour", ["Forest", "Ochre", "Chalk"]),),
        ),
        Product(
            "Tarnholt Cutlery, 12 Pieces",
            cutlery,
            "fork, knife and spoon with coloured handles on a napkin",
            "Tarnholt",
            118.95,
            980,
            "cutlery steel set",
            "Forks, knives and spoons for four people, forged in one piece and given handles of "
            "pressed resin. The balance point sits exactly where the finger rests.",
            ("Four forks, four knives, four spoons", "18/10 steel", "Handles stand the dishwasher"),
            (("Colour", ["Ink", "Cream", "Tomato"]),),
            was=149.00,
        ),
        Product(
            "Sunday Cake Stand",
            cakestand,
            "a stand with a foot, and a cake on it",
            "Maison Orlenne",
            54.00,
            1350,
            "baking porcelain party",
            "Lifts a cake to where it deserves to be. The plate has a shallow lip against "
            "runaway crumbs, and turned over the foot becomes a bowl for dips.",
            ("28 cm across",),
            (("Colour", ["Rose", "White", "Mint"]),),
        ),
        Product(
            "Salt & Pepper, a Pair of Shakers",
            shakers,
            "two shakers with oak caps, one pale and one dark",
            "Nørvang Træ",
            27.50,
            330,
            "oak salt pepper set",
            "Two small bodies of stoneware with turned oak caps that push on and stay on. The "
            "light one has three holes and the dark one has one, so you never have to guess.",
            ("9 cm high",),
            ink="Chalk",
        ),
    ],
)
