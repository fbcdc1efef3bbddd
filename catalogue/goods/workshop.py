"""Workshop: tools."""

from product import Department, Product
from svg import (
    BRASS,
    DARK,
    PAPER,
    STEEL,
    WOOD,
    disc,
    flat,
    grain,
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


def hammer(k):
    return flat(
        turn(
            36,
            shape("M190 118H212L218 330Q218 352 201 352T184 330Z", k.m),
            shape("M203 118H212L218 330Q218 352 201 352Z", k.d),
            rect(186, 280, 30, 4, k.dd, 2, 0.6),
            rect(186, 292, 30, 4, k.dd, 2, 0.6),
            shape("M128 74H226Q286 74 306 132Q276 106 222 110H180L170 116H128Z", STEEL.dd),
            shape("M128 74H226Q270 74 292 104Q262 88 222 90H128Z", STEEL.d),
            rect(106, 66, 30, 56, STEEL.dd, 6),
            rect(106, 66, 30, 22, STEEL.d, 6),
            rect(188, 66, 26, 12, k.d, 3),
        )
    )


def screwdrivers(k):
    def one(y, length, flat_tip):
        x = 168 + length
        tip = (
            poly([(x, y - 6), (x + 26, y - 10), (x + 26, y + 10), (x, y + 6)], STEEL.dd)
            if flat_tip
            else poly(
                [
                    (x, y - 6),
                    (x + 12, y - 7),
                    (x + 26, y - 2),
                    (x + 26, y + 2),
                    (x + 12, y + 7),
                    (x, y + 6),
                ],
                STEEL.dd,
            )
        )
        return (
            rect(160, y - 6, length + 10, 12, STEEL.m, 2)
            + rect(160, y, length + 10, 6, STEEL.d, 2)
            + tip
            + rect(62, y - 20, 92, 40, k.m, 17)
            + rect(62, y, 92, 20, k.d, 10)
            + rect(76, y - 13, 62, 5, k.ll, 2, 0.6)
            + rect(146, y - 13, 22, 26, DARK.m, 4)
        )

    return flat(
        turn(-8, one(118, 150, True), one(184, 120, False), one(250, 92, True), one(310, 60, False))
    )


def saw(k):
    return flat(
        turn(
            -24,
            shape("M58 188H326V216H282L58 246Z", STEEL.m),
            shape("M58 246V188L326 170V188Z", STEEL.l),
            shape("M58 246" + "l8 13l8-15.1" * 14 + "L58 238Z", STEEL.m),
            shape(
                "M270 152Q330 138 366 156Q386 170 376 214Q366 262 334 258Q306 258 296 236Q284 224 268 222Z",
                k.m,
            ),
            shape(
                "M302 182Q330 172 346 184Q352 208 340 226Q324 232 318 216Q302 206 302 182Z",
                "#dfe0da",
            ),
            disc(286, 170, 6, BRASS.m),
            disc(284, 206, 6, BRASS.m),
        )
    )


def tapemeasure(k):
    marks = "".join(
        line(f"M{x} 300v{10 if x % 40 else 16}", DARK.m, 2) for x in range(250, 370, 10)
    )
    return move(
        -14,
        0,
        shadow(130, 190)
        + rect(230, 297, 142, 20, "#f3d463")
        + marks
        + rect(368, 290, 8, 30, STEEL.d, 2)
        + shape("M78 318V196Q78 132 142 132H196Q260 132 260 196V318Z", k.m)
        + shape("M214 134Q260 144 260 196V318H226V190Q226 152 214 134Z", k.d)
        + disc(164, 224, 62, k.dd)
        + disc(164, 224, 54, k.l)
        + ring(164, 224, 40, PAPER.m, 6)
        + poly([(164, 200), (188, 224), (164, 248), (140, 224)], PAPER.m)
        + rect(110, 118, 70, 20, DARK.m, 8)
        + rect(78, 306, 182, 12, k.dd),
    )


def plane(k):
    knob = "M96 266Q84 258 92 242Q82 234 84 222Q88 206 108 206T132 222Q134 234 124 242Q132 258 120 266Z"
    grip = "M262 262Q276 232 262 196Q258 178 276 176Q300 176 306 196Q304 214 314 236L328 262Z"
    return (
        shadow(146)
        + shape("M150 262q-26-30-8-52q26-18 38 4q6 20-14 20q-12-2-8-10", "#eed2a0")
        + turn(
            32,
            rect(206, 150, 26, 130, STEEL.l, 3),
            rect(222, 150, 10, 130, STEEL.m, 3),
            x=206,
            y=262,
        )
        + turn(32, rect(212, 180, 34, 90, STEEL.dd, 5), disc(229, 206, 11, BRASS.m), x=206, y=262)
        + shape(knob, k.m)
        + oval(108, 218, 16, 9, k.l)
        + shape(grip, k.m)
        + shape("M296 180Q304 186 306 196Q304 214 314 236L328 262H310Q292 220 296 180Z", k.d)
        + shape("M52 318V292Q52 280 66 280H346Q352 300 350 318Z", STEEL.d)
        + shape("M66 280H346L342 254Q280 260 256 246Q210 262 130 262Q74 262 66 280Z", STEEL.dd)
    )


def toolbox(k):
    return (
        shadow(140)
        + line("M126 176V132Q126 118 140 118H260Q274 118 274 132V176", DARK.m, 12)
        + rect(150, 108, 100, 22, WOOD.m, 9)
        + shape("M62 190L86 168H314L338 190Z", k.l)
        + rect(62, 188, 276, 126, k.m, 8)
        + rect(62, 230, 276, 8, k.dd, 0, 0.6)
        + shape("M280 188H330Q338 188 338 196V306Q338 314 330 314H280Z", k.d, 0.6)
        + rect(106, 216, 32, 40, STEEL.m, 4)
        + rect(262, 216, 32, 40, STEEL.m, 4)
        + rect(116, 226, 12, 20, STEEL.dd, 3)
        + rect(272, 226, 12, 20, STEEL.dd, 3)
        + rect(166, 260, 68, 26, PAPER.m, 3)
        + line("M178 273h44", k.dd, 4, 0.6)
    )


def level(k):
    return flat(
        turn(
            -16,
            rect(40, 164, 320, 72, k.m, 8),
            rect(40, 206, 320, 30, k.d, 8),
            rect(40, 164, 22, 72, BRASS.m, 6),
            rect(338, 164, 22, 72, BRASS.m, 6),
            rect(152, 176, 96, 36, BRASS.d, 8),
            rect(160, 182, 80, 24, "#c9dc6a", 11),
            oval(204, 191, 15, 7, "#f4f8cf"),
            line("M186 182v24M220 182v24", DARK.m, 2),
            disc(104, 200, 22, BRASS.d),
            disc(104, 200, 16, "#c9dc6a"),
            oval(106, 193, 6, 5, "#f4f8cf"),
            grain(258, 170, 76, 60, k, 3),
        )
    )


def pliers(k):
    def half():
        return (
            shape("M196 190L184 96Q184 62 200 58V196Z", STEEL.d)
            + shape("M190 104h10v6h-10Zm0 12h10v6h-10Zm0 12h10v6h-10Z", STEEL.ddd, 0.6)
            + line("M196 206Q158 232 152 336", STEEL.d, 20)
            + line("M172 246Q156 280 152 338", k.m, 27)
            + line("M164 250Q150 282 147 332", k.ll, 4, 0.6)
        )

    return flat(
        turn(
            24,
            '<g transform="matrix(-1 0 0 1 400 0)">',
            half(),
            "</g>",
            half(),
            disc(200, 200, 27, STEEL.m),
            disc(200, 200, 13, STEEL.dd),
            disc(197, 197, 5, STEEL.l),
        )
    )


def torch(k):
    return move(
        0,
        48,
        shadow(116, 170, 264),
        shape("M268 176L400 96V340L268 244Z", "#fbe9a6", 0.6),
        rect(56, 186, 164, 48, k.m, 10),
        rect(56, 210, 164, 24, k.d, 10),
        *[rect(x, 186, 6, 48, k.dd, 0, 0.5) for x in range(76, 150, 14)],
        rect(162, 178, 36, 14, DARK.m, 6),
        shape("M216 184L258 158Q266 156 266 166V254Q266 264 258 262" "L216 236Z", k.m),
        shape("M216 212H266V254Q266 264 258 262L216 236Z", k.d),
        rect(258, 156, 18, 108, STEEL.d, 6),
        oval(276, 210, 8, 46, "#fff3c4"),
        ring(50, 210, 13, STEEL.dd, 5),
    )


WORKSHOP = Department(
    "Workshop",
    "WS",
    "Hardware > Tools",
    ("#e3dccf", "#d4dce0", "#dcdcd6"),
    [
        Product(
            "Cabinet Hammer",
            hammer,
            "a claw hammer with a wooden handle",
            "Ambosshof",
            42.00,
            560,
            "hammer steel wood",
            "A small head on a long handle, for nails that must go in straight beside something "
            "that must not be hit. The claw is thin enough for tacks.",
            (),
            (
                ("Wood", ["Ash", "Walnut"]),
                ("Weight", [("10 oz", -4.0, 0.8), "14 oz", ("18 oz", 5.0, 1.25)]),
            ),
        ),
        Product(
            "Four Screwdrivers in a Roll",
            screwdrivers,
            "four screwdrivers of different lengths",
            "Ambosshof",
            49.50,
            680,
            "screwdriver steel set",
            "Two flat, two crossed, and the sizes that are needed nine times out of ten. The "
            "handles do not roll off the bench.",
            ("Canvas roll included",),
            (("Colour", ["Tomato", "Ochre"]),),
        ),
        Product(
            "Panel Saw",
            saw,
            "a hand saw with a wooden grip",
            "Ambosshof",
            67.00,
            720,
            "saw wood steel",
            "Hand-sharpened for clean cuts across the grain, and stiff enough to stay on the line. "
            "It can be filed, so it need not be thrown away.",
            ("50 cm blade", "9 teeth to the inch"),
            (("Wood", ["Cherry", "Beech"]),),
        ),
        Product(
            "Pocket Tape Measure",
            tapemeasure,
            "a tape measure, drawn out a little",
            "Calderfoot Tools",
            18.00,
            240,
            "measuring steel",
            "Five metres with a hook that is true both inside and out. The brake works with the "
            "thumb of either hand.",
            ("Class II",),
            (("Colour", ["Ink", "Tomato", "Forest"]),),
        ),
        Product(
            "Smoothing Plane No. 3½",
            plane,
            "an iron bench plane with wooden grips and a shaving",
            "Calderfoot Tools",
            178.00,
            1650,
            "plane wood steel",
            "The last plane a table top meets. Its sole is ground flat to a hair, and the blade "
            "arrives sharp enough to prove it.",
            ("Blade 45 mm wide",),
            (("Wood", ["Walnut", "Cherry"]),),
            was=198.00,
        ),
        Product(
            "Cantilever Toolbox",
            toolbox,
            "a metal toolbox with two clasps and a handle",
            "Calderfoot Tools",
            88.00,
            4300,
            "steel storage",
            "Folded from one sheet and painted twice. It opens in three tiers, so the thing at the "
            "bottom is no longer at the bottom.",
            ("43 × 20 × 22 cm",),
            (("Colour", ["Sea", "Tomato", "Slate"]),),
        ),
        Product(
            "Spirit Level with Brass Ends",
            level,
            "a wooden level with two glass vials",
            "Calderfoot Tools",
            56.00,
            510,
            "measuring wood brass",
            "Two vials in a bar of quarter-sawn timber that does not move with the weather. The "
            "ends are brass, because levels get dropped.",
            (),
            (("Wood", ["Cherry", "Oak"]), ("Length", ["30 cm", ("60 cm", 22.0, 1.8)])),
        ),
        Product(
            "Combination Pliers",
            pliers,
            "pliers with dipped handles",
            "Calderfoot Tools",
            33.00,
            290,
            "steel pliers",
            "Grips, cuts, turns, and opens paint tins when nobody is looking. The joint is lapped "
            "by hand and moves without play.",
            ("18 cm",),
            (("Colour", ["Tomato", "Sky", "Ochre"]),),
        ),
        Product(
            "Cellar Torch",
            torch,
            "a torch that throws a cone of light",
            "Osterby Licht",
            44.00,
            320,
            "light steel camping",
            "An aluminium torch with one button and two strengths. It charges from any cable in "
            "the house and floats if it must.",
            ("400 lumens, 9 hours on low",),
            (("Colour", ["Charcoal", "Moss"]),),
        ),
    ],
)
