"""Small pieces from which the pictures of the demo catalogue are drawn.

Everything here returns SVG text on a canvas of 400 by 400, of which the outer 20 are
cut off. Things stand on a floor at y = 318, or lie flat and are seen from above. A
drawing gets an `Ink` (one colour with its lighter and darker neighbours) and returns
a string.
"""

from math import hypot

FLOOR = 318
TILT = 0.13  # how round a circle looks when it is seen from the side

COLOURS = {
    # glazes, dyes, paints
    "Chalk": "#f3efe7",
    "White": "#f6f4ef",
    "Cream": "#f2e6cd",
    "Butter": "#edd080",
    "Sand": "#d8c4a0",
    "Ochre": "#d59a3c",
    "Clay": "#c56c4b",
    "Tomato": "#cc4c3d",
    "Rose": "#dba19f",
    "Plum": "#79455f",
    "Lilac": "#b1a2ca",
    "Ink": "#2d4068",
    "Sky": "#8bb2cf",
    "Sea": "#4b8791",
    "Mint": "#a5ccb5",
    "Moss": "#77824e",
    "Forest": "#325a4a",
    "Slate": "#66717d",
    "Grey": "#9b9ea3",
    "Charcoal": "#42454d",
    "Black": "#2b2b31",
    # woods, metals, leather, glass
    "Oak": "#c9a06a",
    "Walnut": "#78523b",
    "Ash": "#dfc79f",
    "Beech": "#d9ae7d",
    "Cherry": "#aa6341",
    "Birch": "#e6d4b0",
    "Olive wood": "#a88c52",
    "Cork": "#c99c6c",
    "Brass": "#c9a34d",
    "Steel": "#b7bfc6",
    "Copper": "#c67c54",
    "Iron": "#4b4d54",
    "Tan": "#b67d49",
    "Chestnut": "#7d4b2f",
    "Natural": "#dac8a6",
    "Clear": "#c3dde2",
    "Smoke": "#858a93",
    "Amber": "#d2953f",
}


def _mix(a, b, share):
    pairs = zip(bytes.fromhex(a[1:]), bytes.fromhex(b[1:]))
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in pairs)


def darker(colour, share):
    return _mix(colour, "#1c1a30", share)


def lighter(colour, share):
    return _mix(colour, "#ffffff", share)


def is_pale(colour):
    r, g, b = bytes.fromhex(colour[1:])
    return 0.3 * r + 0.59 * g + 0.11 * b > 205


class Ink:
    """One colour and its neighbours: ll and l are lighter, d, dd and ddd darker."""

    def __init__(self, colour):
        self.m = COLOURS.get(colour, colour)
        self.l, self.ll = lighter(self.m, 0.25), lighter(self.m, 0.55)
        self.d, self.dd, self.ddd = (darker(self.m, s) for s in (0.17, 0.32, 0.55))


WOOD, STEEL, BRASS, PAPER = Ink("Oak"), Ink("Steel"), Ink("Brass"), Ink("Cream")
LEATHER, DARK, LEAF, CORK = Ink("Tan"), Ink("Charcoal"), Ink("#6d8f5e"), Ink("Cork")


def _n(value):
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _o(opacity):
    return "" if opacity == 1 else f' opacity="{opacity:g}"'


def rect(x, y, w, h, fill, r=0, o=1):
    round_ = f' rx="{_n(r)}"' if r else ""
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}"{round_} '
        f'fill="{fill}"{_o(o)}/>'
    )


def oval(x, y, rx, ry, fill, o=1):
    return f'<ellipse cx="{_n(x)}" cy="{_n(y)}" rx="{_n(rx)}" ry="{_n(ry)}" fill="{fill}"{_o(o)}/>'


def disc(x, y, r, fill, o=1):
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" fill="{fill}"{_o(o)}/>'


def shape(d, fill, o=1):
    return f'<path d="{d}" fill="{fill}"{_o(o)}/>'


def line(d, colour, width, o=1, dash=""):
    dash = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{_n(width)}" '
        f'stroke-linecap="round" stroke-linejoin="round"{dash}{_o(o)}/>'
    )


def ring(x, y, r, colour, width, o=1):
    return (
        f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" fill="none" stroke="{colour}" '
        f'stroke-width="{_n(width)}"{_o(o)}/>'
    )


def poly(points, fill, o=1):
    return shape("M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points) + "Z", fill, o)


def turn(angle, *parts, x=200, y=200):
    return f'<g transform="rotate({_n(angle)} {_n(x)} {_n(y)})">{"".join(parts)}</g>'


def move(dx, dy, *parts, scale=1):
    size = f" scale({scale:g})" if scale != 1 else ""
    return f'<g transform="translate({_n(dx)} {_n(dy)}){size}">{"".join(parts)}</g>'


def shadow(width, x=200, y=FLOOR - 6, o=0.15):
    """The soft dark patch under a thing that stands."""
    return oval(x, y, width, max(6, width * 0.1), "#1c1a30", o)


def flat(*parts):
    """Things that lie on the table and are seen from above, with their shadow."""
    return f'<g filter="url(#s)">{"".join(parts)}</g>'


def _through(points):
    """Cubic segments of a smooth line through points; a doubled point is a corner."""
    out = []
    for i in range(len(points) - 1):
        p1, p2 = points[i], points[i + 1]
        length = hypot(p2[0] - p1[0], p2[1] - p1[1])
        if not length:
            continue
        u = _direction(points, i)
        v = _direction(points, i + 1)
        a = (p1[0] + u[0] * length / 3, p1[1] + u[1] * length / 3)
        b = (p2[0] - v[0] * length / 3, p2[1] - v[1] * length / 3)
        out.append("C" + " ".join(_n(c) for c in (*a, *b, *p2)))
    return "".join(out)


def _direction(points, i):
    """Where the line goes at point i: from its neighbour before to its neighbour after."""
    before, at, after = points[max(i - 1, 0)], points[i], points[min(i + 1, len(points) - 1)]
    if at in (before, after):  # an end or a corner: let the segment leave it straight
        other = after if at == before else before
        far = hypot(other[0] - at[0], other[1] - at[1]) or 1
        sign = 1 if other is after else -1
        return (sign * (other[0] - at[0]) / far, sign * (other[1] - at[1]) / far)
    far = hypot(at[0] - before[0], at[1] - before[1]) + hypot(after[0] - at[0], after[1] - at[1])
    return ((after[0] - before[0]) / far, (after[1] - before[1]) / far)


def smooth(points, closed=False):
    path = f"M{_n(points[0][0])} {_n(points[0][1])}" + _through(points)
    return path + ("Z" if closed else "")


def _slice(profile, x, left, right):
    """The part of a turned body between two shares of its half width (-1 to 1)."""
    a = [(x + w * left, y) for w, y in profile]
    b = [(x + w * right, y) for w, y in reversed(profile)]
    width, bottom = profile[-1]
    sag = [bottom + 2 * width * TILT * (1 - s * s) ** 0.5 for s in (left, right)]
    low = max(sag) if left * right < 0 else sum(sag) / 2
    if left == -1 and right == 1:
        join = f"Q{_n(x)} {_n(bottom + 2 * width * TILT)} {_n(b[0][0])} {_n(b[0][1])}"
    else:
        a[-1] = (a[-1][0], bottom + width * TILT * (1 - left * left) ** 0.5)
        join = (
            f"Q{_n((a[-1][0] + b[0][0]) / 2 + width * 0.1)} {_n((low + bottom) / 2)} "
            f"{_n(b[0][0])} {_n(b[0][1])}"
        )
    return f"M{_n(a[0][0])} {_n(a[0][1])}{_through(a)}{join}{_through(b)}Z"


def lathe(profile, ink, x=200, inside=None, rim=None, o=1):
    """A turned body, as from a potter's wheel: [(half width, y), …] from top to bottom.

    `inside` is the colour seen through an open top, `rim` the colour of its edge.
    """
    parts = [
        shape(_slice(profile, x, -1, 1), ink.m, o),
        shape(_slice(profile, x, 0.42, 1), ink.d, 0.75 * o),
        shape(_slice(profile, x, -0.8, -0.66), ink.ll, 0.4 * o),
    ]
    width, top = profile[0]
    if inside or rim:
        parts.append(oval(x, top, width, width * TILT, rim or ink.l, o))
    if inside:
        parts.append(oval(x, top + 1, width - 5, (width - 5) * TILT, inside, o))
    return "".join(parts)


def leaf(x, y, length, angle, colour):
    """One pointed leaf that grows from x, y; angle 0 points up."""
    w = length * 0.26
    return (
        f'<path d="M0 0C{_n(w)} {_n(-length * .3)} {_n(w)} {_n(-length * .7)} 0 {_n(-length)}'
        f'C{_n(-w)} {_n(-length * .7)} {_n(-w)} {_n(-length * .3)} 0 0Z" fill="{colour}" '
        f'transform="translate({_n(x)} {_n(y)}) rotate({_n(angle)})"/>'
    )


def grain(x, y, w, h, ink, rows=3):
    """A few long lines of wood grain inside a box."""
    out = []
    for i in range(rows):
        at = y + h * (i + 1) / (rows + 1)
        inset = w * (0.08 + 0.13 * ((i * 7) % 3))
        out.append(line(f"M{_n(x + inset)} {_n(at)}h{_n(w - 2 * inset)}", ink.d, 2, 0.6))
    return "".join(out)


def picture(drawing, background, alt_light=False):
    """The whole file: soft background, a lighter sun behind, the thing itself."""
    ground = darker(background, 0.1) if alt_light else background
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="20 24 360 360">',
        '<filter id="s" x="-20%" y="-20%" width="140%" height="140%"><feGaussianBlur '
        'in="SourceAlpha" stdDeviation="7"/><feOffset dy="7"/><feComponentTransfer><feFuncA '
        'type="linear" slope=".24"/></feComponentTransfer><feMerge><feMergeNode/><feMergeNode '
        'in="SourceGraphic"/></feMerge></filter>'
        if "url(#s)" in drawing
        else "",
        rect(0, 0, 400, 400, ground),
        disc(200, 196, 158, lighter(ground, 0.3))
        if "url(#s)" in drawing
        else shape("M0 292H400V400H0Z", darker(ground, 0.07))
        + disc(200, 170, 128, lighter(ground, 0.28)),
        drawing,
        "</svg>\n",
    ]
    return "".join(parts)
