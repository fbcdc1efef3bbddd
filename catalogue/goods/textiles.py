"""Textiles: what is woven, knitted and sewn."""

from product import Department, Product
from svg import PAPER, WOOD, Ink, disc, flat, line, move, oval, rect, shadow, shape, turn


def fringe(x, y, width, length, colour, step=9):
    return line("".join(f"M{at} {y}v{length}" for at in range(x + 4, x + width, step)), colour, 3)


def scarf(k):
    return flat(
        shape(
            "M146 86Q200 56 254 86Q286 104 280 142Q270 180 214 178H186Q130 180 120 142"
            "Q114 104 146 86Z",
            k.m,
        ),
        shape(
            "M158 108Q200 84 242 108Q256 122 240 136Q200 152 160 136Q144 122 158 108Z", "#000", 0.18
        ),
        turn(
            9,
            rect(142, 158, 58, 156, k.d, 4),
            fringe(142, 314, 58, 22, k.d),
            *[rect(142, y, 58, 8, k.ll) for y in (268, 284, 300)],
            x=170,
            y=160,
        ),
        turn(
            -9,
            rect(196, 156, 60, 168, k.m, 4),
            fringe(196, 324, 60, 22, k.m),
            *[rect(196, y, 60, 8, k.ll) for y in (278, 294, 310)],
            x=226,
            y=160,
        ),
        shape("M120 142Q126 112 164 98M280 142Q274 112 240 98", k.d, 0.5),
        line("M128 140Q160 168 200 164Q246 168 272 140", k.d, 4, 0.6),
    )


def blanket(k):
    return (
        shadow(128)
        + rect(76, 258, 248, 52, k.d, 20)
        + rect(76, 212, 248, 52, k.m, 20)
        + rect(76, 166, 248, 52, k.l, 20)
        + "".join(
            rect(x, 166, 12, 52, k.ll) + rect(x, 212, 12, 52, k.l) + rect(x, 258, 12, 52, k.m)
            for x in (120, 144, 246, 270)
        )
        + rect(180, 166, 40, 92, k.ll)
        + line("M180 166v92M220 166v92", k.m, 3)
        + fringe(181, 258, 38, 18, k.ll, 7)
        + rect(228, 280, 40, 20, PAPER.m, 2)
    )


def cushion(k):
    return (
        shadow(112)
        + shape(
            "M92 110Q200 128 308 110Q324 106 318 124Q302 210 318 300Q322 318 304 314"
            "Q200 300 96 314Q78 318 82 300Q98 210 82 124Q76 106 92 110Z",
            k.m,
        )
        + shape(
            "M308 110Q324 106 318 124Q302 210 318 300Q322 318 304 314Q276 310 252 309Q282 214 262 116Z",
            k.d,
            0.7,
        )
        + line(
            "M100 150Q200 176 300 150M94 190Q200 216 306 190M94 232Q200 258 306 232M98 274Q200 296 302 274",
            k.ll,
            7,
            0.7,
        )
        + disc(200, 212, 9, k.d)
        + line("M186 204l9 5M214 204l-9 5M188 224l8-6M212 224l-8-6", k.d, 3)
    )


def towels(k):
    def fold(y, ink, w):
        x = 200 - w / 2
        return (
            rect(x, y, w, 44, ink.m, 21)
            + rect(x + w * 0.62, y, w * 0.38, 44, ink.d, 21, 0.7)
            + line(f"M{x + 22} {y + 22}H{x + w - 10}", ink.dd, 3, 0.5)
            + rect(x + 36, y, 8, 44, ink.ll, 0, 0.7)
            + rect(x + 52, y, 8, 44, ink.ll, 0, 0.7)
        )

    pale = Ink("White") if k.m != Ink("White").m else Ink("Sand")
    return (
        shadow(118)
        + fold(274, k, 236)
        + fold(230, pale, 228)
        + fold(186, k, 232)
        + fold(142, pale, 196)
    )


def teatowel(k):
    checks = "".join(rect(x, 116, 12, 196, k.m, 0, 0.75) for x in (148, 176, 214, 242))
    checks += "".join(rect(136, y, 128, 12, k.m, 0, 0.75) for y in (150, 178, 258, 286))
    return (
        rect(70, 104, 260, 14, WOOD.m, 7)
        + rect(70, 111, 260, 7, WOOD.d, 3)
        + disc(78, 111, 12, WOOD.d)
        + disc(322, 111, 12, WOOD.d)
        + rect(140, 112, 136, 168, "#d9d2c2")
        + rect(132, 100, 136, 216, "#fbf8ef", 5)
        + checks
        + rect(132, 100, 136, 18, "#efe9da", 5)
        + rect(132, 304, 136, 4, k.d, 0, 0.5)
        + shape("M240 100H263Q268 100 268 105V316H244Z", "#000", 0.06)
    )


def socks(k):
    def sock(ink):
        return (
            shape(
                "M0 0H66V132Q66 148 80 158L132 192Q156 214 136 236Q118 252 92 240L20 200"
                "Q0 188 0 164Z",
                k.m,
            )
            + shape("M0 150Q0 196 40 211Q60 176 66 132Q30 128 0 150Z", ink)
            + shape("M132 192Q156 214 136 236Q118 252 92 240Q104 204 132 192Z", ink)
            + rect(-4, -8, 74, 34, ink, 6)
            + line("M10-2v22M24-2v22M38-2v22M52-2v22", k.ddd, 2, 0.35)
            + line("M2 52H64M2 68H64M2 84H64", k.ll, 5, 0.8)
        )

    return flat(
        turn(-7, move(84, 84, sock(k.d)), x=130, y=200),
        turn(9, move(196, 92, sock(k.d)), x=240, y=200),
    )


def beanie(k):
    ribs = line("".join(f"M{x} 236v62" for x in range(102, 310, 18)), k.d, 5, 0.7)
    knit = line(
        "".join(
            f"M200 104Q{200 + 1.3 * w:.0f} 150 {200 + w} 234"
            for w in (-84, -56, -28, 0, 28, 56, 84)
        ),
        k.d,
        3,
        0.55,
    )
    tuft = "".join(turn(a, oval(200, 62, 9, 26, k.l), x=200, y=88) for a in range(0, 360, 30))
    return (
        shadow(116)
        + shape("M92 250Q88 100 200 98T308 250Z", k.m)
        + knit
        + shape("M262 112Q312 148 308 250H270Q284 170 262 112Z", k.d, 0.45)
        + rect(80, 230, 240, 76, k.m, 20)
        + rect(80, 230, 240, 76, k.ll, 20, 0.25)
        + ribs
        + tuft
        + disc(200, 88, 26, k.l)
        + disc(208, 94, 18, k.m, 0.5)
    )


def apron(k):
    return flat(
        line("M158 92Q150 46 200 46T242 92", k.d, 7),
        line("M122 190Q84 190 62 214M278 190Q316 190 338 214", k.d, 7),
        shape(
            "M152 84H248L254 120Q258 170 286 184L290 328Q290 336 282 336H118Q110 336 110 328"
            "L114 184Q142 170 146 120Z",
            k.m,
        ),
        shape(
            "M240 84H248L254 120Q258 170 286 184L290 328Q290 336 282 336H252Q266 200 240 84Z",
            k.d,
            0.6,
        ),
        rect(150, 222, 100, 66, k.d, 6),
        rect(150, 222, 100, 10, k.dd, 3),
        line("M200 232V286", k.dd, 3),
        rect(176, 108, 48, 20, PAPER.m, 2),
        disc(155, 94, 5, Ink("Brass").m),
        disc(245, 94, 5, Ink("Brass").m),
    )


def rug(k):
    def diamonds(w, h):
        return "".join(f"M200 {y - h}l{w} {h}l{-w} {h}l{-w} {-h}Z" for y in (132, 200, 268))

    edge = "".join(f"M108 {y}l16 11l-16 11ZM292 {y}l-16 11l16 11Z" for y in range(90, 310, 22))
    return flat(
        turn(
            -6,
            fringe(100, 58, 200, 14, PAPER.d, 8),
            fringe(100, 328, 200, 14, PAPER.d, 8),
            rect(100, 68, 200, 264, k.m, 3),
            rect(128, 82, 144, 236, k.d),
            rect(133, 87, 134, 226, k.m),
            shape(edge + diamonds(52, 28), k.ll),
            shape(diamonds(24, 13), k.d),
        )
    )


def mittens(k):
    def mitten():
        return (
            shape("M-44 60V-30Q-44-104 6-104T56-30V60Z", k.m)
            + shape("M50 34Q60-6 82-26Q104-34 104-10Q98 30 54 56Z", k.m)
            + shape("M30-100Q56-88 56-30V60H30Q44-30 30-100Z", k.d, 0.6)
            + rect(-50, 58, 112, 50, k.d, 12)
            + line("M-34 66v34M-18 66v34M-2 66v34M14 66v34M30 66v34M46 66v34", k.dd, 3)
            + shape("M6-66l10 18h-20Z M6 10l-10-18h20Z M-32-28l18-10v20Z M44-28l-18-10v20Z", k.ll)
            + disc(6, -28, 6, k.ll)
        )

    mirrored = '<g transform="scale(-1 1)">' + mitten() + "</g>"
    return flat(
        turn(-10, move(136, 194, mirrored, scale=0.86)),
        turn(10, move(262, 206, mitten(), scale=0.86)),
    )


TEXTILES = Department(
    "Textiles",
    "TX",
    "Home & Garden > Linens & Bedding",
    ("#e2d8d2", "#d6dbe2", "#dde0d0"),
    [
        Product(
            "Lambswool Scarf",
            scarf,
            "a knotted scarf with pale stripes and a fringe",
            "Fenlow Looms",
            78.95,
            220,
            "wool winter gift",
            "Woven slowly on an old loom and washed in soft water until it bloomed. It is wide "
            "enough for a shawl and light enough to forget.",
            ("180 × 32 cm", "Pure new wool"),
            (("Colour", ["Tomato", "Forest", "Ink", "Sand"]),),
            was=95.00,
        ),
        Product(
            "Weekend Blanket",
            blanket,
            "a thick striped blanket, folded, with a fringe",
            "Fenlow Looms",
            145.00,
            1600,
            "wool sofa bed",
            "A blanket for the sofa, the hammock and the back seat. The weave is double, so one "
            "side shows the stripes and the other their shadow.",
            (),
            (
                ("Colour", ["Clay", "Slate", "Moss"]),
                ("Size", ["130 × 180 cm", ("180 × 220 cm", 65.0, 1.7)]),
            ),
        ),
        Product(
            "Corduroy Cushion",
            cushion,
            "a square cushion with soft stripes and a button",
            "Linden & Sœur",
            48.00,
            650,
            "sofa cotton",
            "Wide-wale cotton with a feather filling that keeps its corners. One button in the "
            "middle holds the whole thing together, and it is sewn to stay.",
            (),
            (
                ("Colour", ["Ochre", "Plum", "Sea"]),
                ("Size", ["45 × 45 cm", ("60 × 60 cm", 20.0, 1.6)]),
                ("Filling", ["Feather", ("Wool", 6.0, 1.1)]),
            ),
        ),
        Product(
            "Bath Towel, Long Loop",
            towels,
            "a stack of four folded towels in two colours",
            "Linden & Sœur",
            34.00,
            620,
            "bath cotton",
            "Long loops of cotton that drink quickly and dry overnight. The hem is turned twice, "
            "and the hanging loop will hold the weight of a child.",
            (),
            (
                ("Colour", ["Sky", "Sand", "Rose"]),
                (
                    "Size",
                    [
                        ("Hand, 50 × 90 cm", -16.0, 0.4),
                        "Bath, 70 × 140 cm",
                        ("Sheet, 100 × 180 cm", 22.0, 1.8),
                    ],
                ),
            ),
        ),
        Product(
            "Checked Tea Towel",
            teatowel,
            "a checked tea towel over a wooden rail",
            "Linden & Sœur",
            14.50,
            95,
            "linen kitchen",
            "Half linen, half cotton, and better after every wash. It polishes a glass without "
            "leaving its own opinion on it.",
            ("50 × 70 cm",),
            (("Colour", ["Tomato", "Ink", "Moss"]),),
        ),
        Product(
            "Cabin Socks",
            socks,
            "a pair of thick socks with darker heels and toes",
            "Fenlow Looms",
            22.00,
            130,
            "wool winter gift",
            "Thick as a slipper, with a terry sole and a cuff that does not pinch. Heel and toe "
            "are knitted double, because that is where socks end.",
            (),
            (
                ("Colour", ["Ochre", "Slate", "Rose"]),
                ("Size", ["36–39", "40–43", ("44–47", 1.0, 1.1)]),
            ),
        ),
        Product(
            "Bobble Hat for Windy Piers",
            beanie,
            "a knitted hat with a turned-up brim and a bobble",
            "Fenlow Looms",
            38.95,
            110,
            "wool winter",
            "A close rib for the ears, a loose knit for the crown and a bobble for the mood. It "
            "was tested on a ferry in February.",
            ("One size, stretches",),
            (("Colour", ["Sea", "Butter", "Plum", "Chalk"]),),
        ),
        Product(
            "Workshop Apron",
            apron,
            "an apron with a divided pocket and a neck loop",
            "Linden & Sœur",
            58.00,
            420,
            "cotton kitchen workshop",
            "Twelve-ounce canvas with straps that cross at the back, so that nothing hangs from "
            "the neck. Four pockets: pencil, rule, telephone, biscuit.",
            (),
            (("Colour", ["Charcoal", "Clay", "Moss"]),),
        ),
        Product(
            'Kilim Runner "Tåsinge"',
            rug,
            "a woven rug with diamonds and a fringe",
            "Fenlow Looms",
            188.95,
            2900,
            "wool floor hall",
            "Flat-woven in hand-spun wool: three diamonds, a border of teeth, and small shifts of "
            "tone where the dyer changed the vat.|Turn it over in spring; both sides are right.",
            (),
            (("Colour", ["Tomato", "Ink"]), ("Size", ["70 × 140 cm", ("80 × 250 cm", 110.0, 2.0)])),
            was=220.00,
        ),
        Product(
            "Snowball Mittens",
            mittens,
            "a pair of mittens with a knitted star",
            "Fenlow Looms",
            32.00,
            90,
            "wool winter children",
            "Two layers, a star on the back and a cuff that reaches under the sleeve. Snow melts "
            "off before it finds a way in.",
            (),
            (("Colour", ["Ink", "Tomato"]), ("Size", [("Child", -8.0, 0.7), "S", "M", "L"])),
        ),
    ],
)
