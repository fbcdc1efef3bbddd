"""Lamps: what gives light."""

from product import Department, Product
from svg import BRASS, DARK, PAPER, disc, lathe, line, oval, rect, ring, shadow, shape, turn

WARM = "#fbe6a8"


def glow(x, y, r):
    return disc(x, y, r, WARM, 0.28) + disc(x, y, r * 0.66, WARM, 0.4)


def tablelamp(k):
    return (
        glow(200, 160, 130)
        + shadow(70)
        + lathe([(14, 196), (20, 214), (52, 252), (48, 290), (40, 306)], k)
        + rect(194, 176, 12, 26, BRASS.m)
        + shape("M146 82H254L292 188Q200 212 108 188Z", PAPER.m)
        + shape("M222 82H254L292 188Q262 198 234 201Z", PAPER.d, 0.6)
        + shape("M158 82H172L146 196L128 193Z", "#fff", 0.5)
    )


def desklamp(k):
    return (
        glow(118, 236, 80)
        + shadow(62, 262)
        + oval(262, 306, 62, 12, k.d)
        + oval(262, 301, 62, 12, k.m)
        + line("M262 298L304 190L206 108", k.d, 11)
        + line("M254 298L296 192", k.l, 4)
        + disc(304, 190, 12, BRASS.m)
        + disc(206, 108, 12, BRASS.m)
        + turn(
            38,
            shape("M176 92H224V108Q262 130 268 176H132Q138 130 176 108Z", k.m),
            shape("M206 92H224V108Q262 130 268 176H228Q228 130 206 108Z", k.d),
            oval(200, 176, 68, 11, WARM),
            x=206,
            y=104,
        )
    )


def pendant(k):
    return (
        glow(200, 236, 118)
        + line("M200 20V128", DARK.m, 4)
        + rect(186, 122, 28, 30, BRASS.m, 6)
        + shape("M172 150H228C292 162 322 206 326 250H74C78 206 108 162 172 150Z", k.m)
        + shape("M214 150H228C292 162 322 206 326 250H258C258 200 240 164 214 150Z", k.d)
        + shape("M150 158C116 172 96 210 94 246H110C112 210 130 176 156 157Z", k.ll, 0.45)
        + oval(200, 250, 126, 16, WARM)
        + oval(200, 252, 34, 9, "#fff")
    )


def floorlamp(k):
    return (
        glow(200, 112, 92)
        + shadow(96)
        + line("M200 150L136 312M200 150L264 312M200 150V308", k.d, 9)
        + line("M200 150L136 312", k.m, 6)
        + line("M167 236H233", k.d, 5)
        + shape("M152 56H248L272 142Q200 158 128 142Z", PAPER.m)
        + shape("M222 56H248L272 142Q254 148 236 150Z", PAPER.d, 0.6)
        + rect(193, 146, 14, 12, BRASS.m)
    )


def globe(k):
    return (
        glow(200, 196, 138)
        + shadow(66)
        + lathe([(40, 274), (52, 300), (54, 306)], k)
        + oval(200, 274, 40, 6, k.l)
        + disc(200, 194, 84, "#fdf4d9")
        + disc(212, 204, 68, "#fff", 0.35)
        + shape("M236 118a84 84 0 0 1 0 152a104 104 0 0 0 0-152Z", "#e9d6a2", 0.7)
        + oval(168, 160, 17, 25, "#fff", 0.9)
    )


def lantern(k):
    return (
        glow(200, 216, 118)
        + shadow(78)
        + ring(200, 92, 25, k.d, 7)
        + shape("M150 148L186 112H214L250 148Z", k.m)
        + shape("M214 112L250 148H214Z", k.d)
        + rect(146, 148, 108, 146, "#fdf1c9", 4, 0.85)
        + shape("M200 184q24 32 0 50q-24-18 0-50Z", "#f0a63c")
        + shape("M200 202q11 18 0 30q-11-12 0-30Z", "#fbe08a")
        + rect(182, 234, 36, 60, "#fbf8ee", 4)
        + rect(206, 234, 12, 60, "#e3dac4", 4)
        + rect(140, 144, 12, 160, k.m, 3)
        + rect(248, 144, 12, 160, k.d, 3)
        + rect(134, 140, 132, 14, k.m, 4)
        + rect(132, 292, 136, 18, k.m, 4)
        + rect(132, 302, 136, 8, k.d, 4)
    )


def paperlamp(k):
    ribs = "".join(
        line(f"M{200 - w} {y}Q200 {y + 18} {200 + w} {y}", k.d, 3, 0.7)
        for y, w in ((116, 64), (140, 91), (166, 107), (192, 113), (218, 111), (244, 97), (268, 72))
    )
    return (
        glow(200, 190, 150)
        + line("M200 20V88", DARK.m, 4)
        + rect(172, 82, 56, 10, DARK.m, 4)
        + oval(200, 190, 114, 102, k.l)
        + shape("M234 92a114 102 0 0 1 0 196q48-96 0-196Z", k.m, 0.7)
        + ribs
        + rect(174, 286, 52, 8, DARK.m, 4)
        + oval(156, 142, 22, 26, "#fff", 0.45)
    )


def candles(k):
    def stick(x, top, foot):
        return (
            disc(x, top - 80, 42, WARM, 0.45)
            + shadow(foot + 6, x)
            + shape(
                f"M{x - 8} {top + 20}L{x - 6} 252Q{x - 8} 294 {x - foot} 306Q{x} 318 {x + foot} 306"
                f"Q{x + 8} 294 {x + 6} 252L{x + 8} {top + 20}Z",
                k.m,
            )
            + shape(
                f"M{x + 1} {top + 20}V312Q{x + 20} 312 {x + foot} 306Q{x + 8} 294 {x + 6} 252"
                f"L{x + 8} {top + 20}Z",
                k.d,
            )
            + oval(x, top + 20, 21, 5, k.d)
            + oval(x, top + 17, 21, 5, k.l)
            + rect(x - 8, top - 64, 16, 82, "#f7efdf", 3)
            + rect(x + 1, top - 64, 7, 82, "#e0d2b8", 3)
            + shape(f"M{x} {top - 96}q12 17 0 27q-12-10 0-27Z", "#f0a63c")
        )

    return stick(134, 208, 30) + stick(204, 168, 34) + stick(270, 240, 30)


def sconce(k):
    return (
        glow(214, 150, 124)
        + rect(92, 132, 30, 136, k.d, 15)
        + rect(88, 128, 30, 136, k.m, 15)
        + disc(103, 148, 4, k.dd)
        + disc(103, 244, 4, k.dd)
        + line("M110 216C170 216 216 236 222 196", k.d, 10)
        + rect(204, 176, 36, 24, k.m, 6)
        + shape("M158 76Q222 58 286 76L258 172Q222 184 186 172Z", PAPER.m)
        + shape("M246 68Q270 70 286 76L258 172Q248 176 236 177Z", PAPER.d, 0.6)
        + oval(222, 77, 62, 10, WARM)
    )


def mushroom(k):
    return (
        glow(200, 200, 140)
        + shadow(72)
        + lathe([(30, 200), (28, 250), (48, 298), (56, 306)], k)
        + shape("M76 208C78 120 140 88 200 88S322 120 324 208Q200 244 76 208Z", k.m)
        + shape("M232 92C292 104 322 140 324 208Q300 216 270 221C278 160 262 116 232 92Z", k.d)
        + shape("M104 190C108 150 132 122 158 112C140 134 126 160 124 197Z", k.ll, 0.5)
        + shape("M76 208Q200 244 324 208Q200 226 76 208Z", WARM)
    )


def sizes(small, large, extra):
    return ("Size", [small, (large, extra, 1.5)])


LAMPS = Department(
    "Lamps",
    "LA",
    "Home & Garden > Lighting > Lamps",
    ("#c9d1dd", "#d9d0cf", "#cdd6cf"),
    [
        Product(
            "Pebble Table Lamp",
            tablelamp,
            "a lamp with a rounded base and a paper shade",
            "Osterby Licht",
            128.95,
            2100,
            "bedside linen ceramic",
            "A base like a stone from the beach, and a shade of stiffened linen that makes light "
            "the colour of late afternoon. The cord is long enough to reach behind a sofa.",
            ("E27, up to 40 W", "44 cm high", "Switch in the cord"),
            (("Colour", ["Sea", "Chalk", "Clay"]),),
        ),
        Product(
            "Drafting Lamp No. 4",
            desklamp,
            "a jointed desk lamp with a metal shade",
            "Osterby Licht",
            148.00,
            3200,
            "desk office brass",
            "Two joints, one spring, and a head that stays exactly where it is put. The fourth "
            "attempt got the friction right, hence the name.",
            ("Reaches 72 cm", "LED, 2700 K, dimmable"),
            (("Colour", ["Forest", "Black", "Ochre"]),),
            was=175.00,
        ),
        Product(
            "Harbour Pendant",
            pendant,
            "a wide metal dome that hangs from a cord",
            "Osterby Licht",
            165.00,
            2600,
            "pendant dining metal",
            "A wide dome spun from one sheet of aluminium, white inside, for tables where people "
            "stay long. Cut the cord to the height of your tallest guest.",
            (),
            (("Colour", ["Ink", "Tomato", "Mint"]), sizes("35 cm", "50 cm", 60.0)),
        ),
        Product(
            "Tripod Floor Lamp",
            floorlamp,
            "a lamp with a linen shade on three wooden legs",
            "Nørvang Træ",
            218.95,
            5400,
            "floor reading wood",
            "Three legs of solid wood lock into a brass hub without a screw. It stands on carpet, "
            "on old floorboards and on the one stone in the hall that is not level.",
            ("155 cm high", "Assembled in a minute"),
            (("Wood", ["Oak", "Walnut"]),),
            made_to_order=True,
        ),
        Product(
            "Moonrise Globe Light",
            globe,
            "a glowing ball of milk glass on a small foot",
            "Glashütte Ebersroda",
            98.00,
            1300,
            "glass bedside children",
            "A ball of milk glass that glows evenly from edge to edge. It dims down to a night "
            "light at a touch of the foot.",
            ("20 cm across",),
            (("Finish", ["Brass", "Black", "Copper"]),),
        ),
        Product(
            "Storm Lantern",
            lantern,
            "a lantern with glass panes and a candle in it",
            "Ambosshof",
            64.00,
            1850,
            "candle garden outdoor",
            "Four panes, a hinged door and a chimney that wind cannot get into. It takes a thick "
            "candle and hangs from a branch as happily as it stands on a step.",
            ("34 cm high",),
            (("Colour", ["Black", "Moss", "Tomato"]),),
        ),
        Product(
            "Washi Paper Lantern",
            paperlamp,
            "a round ribbed paper lantern",
            "Kōzo Ateliér Mira",
            42.00,
            320,
            "paper pendant light",
            "Mulberry paper on a spiral of bamboo, folded flat as a plate for the post. It takes "
            "one breath and a wire to make a moon of it.",
            (),
            (("Colour", ["Cream", "Rose", "Sky"]), sizes("40 cm", "60 cm", 19.0)),
        ),
        Product(
            "Trio of Candlesticks",
            candles,
            "three candlesticks of different heights, lit",
            "Ambosshof",
            72.00,
            1650,
            "candle table set",
            "Three heights, one foot. They are turned from solid bar and left unlacquered, so "
            "that the metal may darken where nobody touches it.",
            ("For candles 22 mm thick",),
            (("Finish", ["Brass", "Iron", "Copper"]),),
        ),
        Product(
            "Stairwell Wall Light",
            sconce,
            "a wall lamp with a shade that opens upwards",
            "Osterby Licht",
            112.00,
            1200,
            "wall hall brass",
            "A wall light that throws its glow up the plaster and leaves the eyes alone. Wire it "
            "in or use the plug; both are in the box.",
            ("Projects 18 cm",),
            (("Finish", ["Brass", "Steel"]),),
        ),
        Product(
            "Forest Floor Lamp for Small Rooms, with a Cap Shade and a Rotary Dimmer in Its Stem",
            mushroom,
            "a mushroom-shaped lamp that glows under its cap",
            "Glashütte Ebersroda",
            138.00,
            1900,
            "glass bedside dimmer",
            "Cap and stem are blown from one gather of coloured glass. It lights the table more "
            "than the room, which is what one wants after ten at night.",
            ("29 cm high", "LED, dimmable"),
            (("Glass", ["Amber", "Rose", "Smoke"]),),
        ),
    ],
)
