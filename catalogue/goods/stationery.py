"""Stationery: what one writes with and on."""

from product import Department, Product
from svg import (
    BRASS,
    DARK,
    PAPER,
    STEEL,
    Ink,
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
    turn,
)


def notebook(k):
    return flat(
        turn(
            -9,
            rect(108, 76, 196, 262, "#efe8d9", 8),
            rect(112, 80, 190, 256, "#d9cfbb", 8),
            rect(104, 70, 192, 258, k.m, 8),
            rect(104, 70, 30, 258, k.d, 8),
            rect(264, 70, 9, 258, k.dd),
            rect(164, 124, 84, 50, PAPER.m, 4),
            line("M176 142h60M176 156h40", k.dd, 3, 0.6),
            rect(196, 328, 9, 28, "#c4503f"),
        )
    )


def notebook_open(k):
    lines = "".join(line(f"M72 {y}H182M218 {y}H328", "#b9c3cf", 2) for y in range(130, 290, 20))
    return flat(
        rect(46, 88, 308, 228, k.m, 8),
        rect(54, 94, 146, 216, "#faf6ec", 5),
        rect(200, 94, 146, 216, "#f4eee0", 5),
        shape("M200 94q-26 4-34 0h68q-14 4-34 0Z", "#000", 0.1),
        rect(192, 94, 8, 216, "#000", 0, 0.05),
        rect(200, 94, 8, 216, "#000", 0, 0.08),
        lines,
        rect(226, 310, 8, 26, "#c4503f"),
    )


def pen(k):
    return flat(
        turn(
            -42,
            rect(64, 184, 160, 32, k.m, 14),
            rect(64, 202, 160, 14, k.d, 7),
            rect(74, 189, 140, 5, k.ll, 2, 0.6),
            rect(214, 182, 14, 36, BRASS.m, 3),
            shape("M228 186L298 190V210L228 214Z", DARK.m),
            rect(296, 188, 6, 24, BRASS.m, 2),
            shape("M302 189Q334 190 362 200Q334 210 302 211Z", BRASS.l),
            line("M322 200H358", BRASS.dd, 2),
            disc(322, 200, 3, BRASS.ddd),
        ),
        line("M268 312q20-18 30 0t30-4t26-6", "#3c4c72", 4, 0.8),
    )


def pencils(k):
    inks = (k, Ink("Ochre"), Ink("Tomato"), Ink("Sky"), Ink("Moss"))
    out = ""
    for i, ink in enumerate(inks):
        x, y = 112 + i * 38, 92 + (i * 37 % 46)
        out += (
            shape(f"M{x} {y + 46}l14-46l14 46Z", "#ecd3a8")
            + shape(f"M{x + 9} {y + 16}l5-16l5 16Z", ink.dd)
            + rect(x, y + 44, 28, 170, ink.m)
            + rect(x, y + 44, 9, 170, ink.l)
            + rect(x + 19, y + 44, 9, 170, ink.d)
            + rect(x, y + 206, 28, 14, STEEL.m)
            + rect(x, y + 218, 28, 16, "#e0928c", 4)
        )
    return flat(turn(8, out))


def calendar(k):
    days = "".join(
        rect(112 + 27 * (i % 7), 196 + 27 * (i // 7), 17, 17, k.m if i == 16 else "#e3dccd", 4)
        for i in range(2, 33)
    )
    rings = "".join(rect(x, 74, 8, 26, STEEL.dd, 4) for x in range(112, 300, 26))
    return flat(
        rect(90, 88, 220, 252, "#fbf8f0", 6),
        shape("M90 94q0-6 6-6h208q6 0 6 6v88H90Z", k.m),
        disc(254, 126, 16, "#f6d98e"),
        shape("M90 182V160l58-38l42 34l30-20l90 46Z", k.d),
        shape("M90 182V172q60-26 120-6q50 12 100-2v18Z", k.dd),
        days,
        rings,
    )


def scissors(k):
    blade = shape("M196 60Q206 50 210 66L214 214H194Z", STEEL.l) + shape(
        "M206 56Q210 60 210 66L214 214H206Z", STEEL.d
    )
    loop = ring(0, 0, 31, k.m, 15) + line("M-27-14a31 31 0 0 1 20-16", k.l, 5)
    return flat(
        turn(17, blade, line("M204 200Q204 240 190 258", k.m, 17), move(170, 286, loop)),
        turn(-17, blade, line("M198 200Q198 240 212 258", k.m, 17), move(232, 286, loop)),
        disc(201, 205, 8, STEEL.dd),
        disc(200, 204, 4, STEEL.l),
    )


def tape(k):
    return (
        shadow(122)
        + shape(
            "M70 312V240Q70 226 86 226H120Q140 130 206 138Q262 144 268 226H306"
            "Q330 230 332 312Q332 318 324 318H78Q70 318 70 312Z",
            k.m,
        )
        + shape("M70 292H332V312Q332 318 324 318H78Q70 318 70 312Z", k.d)
        + disc(196, 206, 66, "#f1e6c5")
        + disc(196, 206, 66, "#e2d2a4", 0.5)
        + disc(196, 206, 48, "#fbf7ea")
        + disc(196, 206, 34, k.d)
        + disc(196, 206, 13, k.dd)
        + shape("M212 142L318 214L314 226L206 148Z", "#f1e6c5", 0.85)
        + shape("M304 226v-18l7 6l7-6l7 6l7-6v24Z", STEEL.m)
        + rect(92, 240, 40, 6, k.ll, 3, 0.6)
    )


def envelopes(k):
    def one(angle, ink):
        return turn(
            angle,
            rect(84, 128, 232, 156, ink.m, 6),
            shape("M84 284L180 200H220L316 284Z", ink.l),
            shape("M84 132Q84 128 90 128H310Q316 128 316 132L206 218Q200 222 194 218Z", ink.d),
        )

    return flat(
        one(-13, Ink("Cream")),
        one(7, k),
        turn(
            7,
            disc(202, 216, 19, "#b8433a"),
            disc(202, 216, 12, "#cf6557"),
            line("M196 216l5 5l8-10", "#f5d9d2", 3),
        ),
    )


def setsquare(k):
    marks = "".join(
        line(f"M{92 + i * 11} 320v{-14 if i % 5 == 0 else -8}", k.ddd, 2) for i in range(20)
    )
    return flat(
        shape("M66 328V66Q66 58 72 64L334 320Q338 328 330 328Z", k.m),
        shape("M66 328V300H306L334 320Q338 328 330 328Z", k.l, 0.5),
        shape("M112 268V174L208 268Z", "#dfe2df"),
        marks,
        line("M74 84L314 318", k.d, 3),
        disc(90, 290, 6, "#dfe2df"),
    )


def penpot(k):
    return (
        shadow(70)
        + turn(-8, rect(166, 96, 16, 130, "#cf8f3f"), shape("M166 96l8-24l8 24Z", "#eed6ac"))
        + turn(
            10,
            rect(212, 90, 18, 130, "#5d7fa8", 6),
            rect(212, 78, 18, 26, "#42618a", 4),
            rect(227, 84, 5, 46, STEEL.m, 2),
        )
        + turn(
            2,
            rect(190, 84, 13, 130, STEEL.l, 2),
            line("M190 100h6m-6 14h8m-8 14h6m-6 14h8", DARK.m, 2),
        )
        + lathe([(58, 196), (58, 220), (58, 290), (56, 306)], k, 200, k.ddd, k.l)
        + line("M142 256Q200 272 258 256", k.ll, 6, 0.6)
    )


def inkbottle(k):
    return (
        shadow(92)
        + shape(
            "M166 154H234V176Q234 186 250 190L284 204Q296 210 296 224V296Q296 316 276 316"
            "H124Q104 316 104 296V224Q104 210 116 204L150 190Q166 186 166 176Z",
            "#dbe7ea",
        )
        + shape("M112 232Q200 244 288 232V294Q288 308 274 308H126Q112 308 112 294Z", k.m)
        + shape("M250 236Q270 235 288 232V294Q288 308 274 308H250Z", k.d)
        + oval(200, 234, 88, 7, k.l)
        + rect(158, 108, 84, 48, DARK.m, 6)
        + rect(212, 108, 30, 48, DARK.d, 6)
        + line("M170 114v36M184 114v36", DARK.l, 3, 0.7)
        + rect(154, 250, 92, 44, PAPER.ll, 3)
        + shape("M200 256q14 18 0 30q-14-12 0-30Z", k.m)
        + line("M120 222q10-10 26-16", "#fff", 5, 0.8)
    )


STATIONERY = Department(
    "Stationery",
    "ST",
    "Office Supplies > General Office Supplies",
    ("#dcd7e0", "#e6dcc6", "#d3dedd"),
    [
        Product(
            "Field Notebook",
            notebook,
            "a cloth-bound notebook with an elastic band and a label",
            "Pinmarsh Paper",
            16.00,
            310,
            "paper writing travel gift",
            "Sewn in sixteens and bound in book cloth, it opens flat on the first page and on the "
            "last. The paper takes a fountain pen without a shadow on the other side.",
            ("176 pages, 100 g/m²", "Numbered pages and an empty index"),
            (
                ("Colour", ["Forest", "Ochre", "Rose", "Ink"]),
                ("Size", [("A6", -4.0, 0.5), "A5"]),
                ("Ruling", ["Plain", "Lined"]),
            ),
            more=(("open", notebook_open, "the notebook lying open on two ruled pages"),),
        ),
        Product(
            'Fountain Pen "Meridian"',
            pen,
            "a fountain pen with a golden nib and a written line",
            "Quillmere",
            84.00,
            28,
            "pen writing gift",
            "A light pen with a soft nib, turned from cotton resin that warms in the hand. It "
            "drinks from a bottle or from a cartridge, and it starts at the first stroke.",
            ("Steel nib, gold-plated", "Converter included"),
            (("Colour", ["Ink", "Plum", "Forest"]), ("Nib", ["Fine", "Medium", "Broad"])),
        ),
        Product(
            "Cedar Pencils, Box of Five",
            pencils,
            "five coloured pencils side by side",
            "Quillmere",
            9.50,
            45,
            "pencil drawing school",
            "Incense cedar, a core of clay and graphite, and five coats of lacquer. Sharpened "
            "once at the works, so that you may begin at once.",
            (),
            (("Grade", ["2B", "HB", "2H"]),),
            ink="Plum",
        ),
        Product(
            "Twelve Views Wall Calendar",
            calendar,
            "a calendar with a painted landscape above the days",
            "Pinmarsh Paper",
            26.00,
            390,
            "calendar wall paper",
            "Twelve landscapes in four colours each, printed on a press from 1963. The grid below "
            "leaves room for a dentist and a birthday on the same day.",
            ("30 × 42 cm", "Weeks start on Monday"),
            ink="Sea",
            was=32.00,
        ),
        Product(
            "Paper Scissors",
            scissors,
            "a pair of scissors with round coloured handles",
            "Ambosshof",
            31.00,
            140,
            "steel desk",
            "Long, slim blades that meet along their whole length and part again with a whisper. "
            "The loops fit either hand.",
            ("19 cm",),
            (("Colour", ["Tomato", "Black", "Sea"]),),
        ),
        Product(
            "Heavy Tape Dispenser",
            tape,
            "a desk tape dispenser with a roll in it",
            "Quillmere",
            38.00,
            1250,
            "desk office",
            "Cast iron under a thick lacquer, so it is one hand's work to tear a strip. It takes "
            "the small rolls and the large ones.",
            (),
            (("Colour", ["Mint", "Charcoal", "Butter"]),),
        ),
        Product(
            "Letter Set: Ten Sheets, Ten Envelopes",
            envelopes,
            "two envelopes, one with a wax seal",
            "Pinmarsh Paper",
            17.50,
            180,
            "paper letters gift",
            "Laid paper with a deckled edge, and envelopes lined in tissue. The seal on the box is "
            "real wax; the ones inside are up to you.",
            (),
            (("Colour", ["Sky", "Rose", "Sand"]),),
        ),
        Product(
            "Drawing Triangle, 30 cm",
            setsquare,
            "a right-angled ruler with engraved marks",
            "Nørvang Træ",
            14.20,
            90,
            "drawing wood school",
            "Millimetres on one edge, nothing at all on the other, for those who measure by eye. "
            "The marks are burnt in and do not rub off.",
            (),
            (("Wood", ["Birch", "Cherry"]),),
        ),
        Product(
            "Desk Pot",
            penpot,
            "a round pot with a pencil, a pen and a ruler in it",
            "Wexcombe Pottery",
            23.00,
            460,
            "desk stoneware",
            "A straight pot for pens, brushes and the one pair of scissors that is always missing. "
            "A disc of cork under the foot spares the table.",
            ("11 cm high",),
            (("Colour", ["Clay", "Slate", "White"]),),
        ),
        Product(
            "Writing Ink, 50 ml",
            inkbottle,
            "a square glass bottle of ink with a black cap",
            "Quillmere",
            13.90,
            210,
            "ink writing",
            "Made in small vats from dyes that do not clog and do not fade in a drawer. The bottle "
            "tilts, so the last drop can be reached.",
            ("Rinses out of shirts, mostly",),
            (("Colour", ["Ink", "Forest", "Plum", "Tomato", "Sea"]),),
        ),
    ],
)
