"""Selectors with what they are for one message: the meaning of the language, line by line."""

from __future__ import annotations

from tanist.core.selector.values import SelectorValue

MESSAGE: dict[str, SelectorValue] = {
    "colour": "red",
    "Colour": "Red",
    "size": 5,
    "weight": 2.5,
    "zero": 0,
    "nought": 0.0,
    "neg": -7,
    "big": 2**63 - 1,
    "low": -(2**63),
    "huge": 2**64 - 1,
    "flag": True,
    "off": False,
    "note": "it's",
    "empty": "",
    "digits": "2",
    "under": "_foo",
    "percent": "100%",
    "phone": "12993",
    "lines": "a\nb",
    "snow": "\N{SNOWMAN}\U0001f600!",
    "nan": float("nan"),
    "inf": float("inf"),
    "JMSPriority": 4,
    "JMSDeliveryMode": "PERSISTENT",
    "JMSXGroupID": "g1",
    "JMS_AMQP_TTL": 1000,
    "amqp.priority": 4,
    "x-opt-dash": 1,
    'say "hi" now': 1,
    "_$": 1,
    "größe": 1,
    "order": 1,
    "nullable": 1,
}

TRUE_CASES = r"""
TRUE
true
colour = 'red'
colour='red'
  colour  =  'red'
colour <> 'blue'
Colour <> colour
size = 5
size = 5.0
size > 4 AND size < 6
size >= 5 AND size <= 5
weight = 2.5
weight > 2 and weight < 3
5 = size
size > weight
neg < 0
neg = -7
neg = - 7
-neg = 7
+neg = -7
- - neg = -7
-(7) = neg
size + 1 = 6
size - 1 = 4
size - 1 - 1 = 3
size - (1 - 1) = 5
size * 2 = 10
size * 2 + 1 = 11
1 + size * 2 = 11
(1 + size) * 2 = 12
size / 2 = 2
neg / 2 = -3
7 / -2 = -3
-7 / -2 = 3
8 / 4 / 2 = 1
8 / (4 / 2) = 4
size / 2.0 = 2.5
weight * 2 = size
1 / 3.0 > 0.333
big + 1 > big - 2000
big + 1 = 9223372036854775808.0
low - 1 < 0
-low > 0
low / -1 > 0
big * big > 0
huge > big
huge = 18446744073709551615.0
9007199254740993 = 9007199254740992.0
-9223372036854775808 = low
9223372036854775807 = big
0x10 = 16
0X1f = 31
0xFFFFFFFFFFFFFFFF = -1
0xFFFFFFFF = 4294967295
0x0F = 15
017 = 15
0_17 = 15
00 = 0
0b101 = 5
0B1_1 = 3
1_000 = 1000
5L = size
5l = size
0x5L = size
1e3 = 1000
1E+3 = 1000
1e-3 = 0.001
7. = 7
.5 = 0.5
1_0.2_5e0_1 = 102.5
5f = size
5D = size
5.0F = size
08.5 = 8.5
0x1p3 = 8
0x1.8p1d = 3
0x.8P-1 = 0.25
flag
flag = TRUE
flag <> FALSE
off = false
NOT off
NOT (NOT flag)
NOT NOT flag
flag AND NOT off
off OR flag
missing OR flag
NOT (missing AND off)
TRUE OR missing
NOT (missing AND FALSE)
flag AND flag AND flag
off OR off OR flag
TRUE OR FALSE AND FALSE
NOT FALSE AND TRUE
NOT off = TRUE
size = 5 AND colour = 'red' OR missing = 1
missing IS NULL
NOT missing IS NOT NULL
size IS NOT NULL
colour IS NOT NULL
empty IS NOT NULL
42 IS NOT NULL
(missing = 1) IS NULL
(size = 5) IS NOT NULL
(size + missing) IS NULL
(colour + 1) IS NULL
-colour IS NULL
(size / 0) IS NULL
size / zero IS NULL
weight / 0 IS NULL
weight / nought IS NULL
(NOT missing) IS NULL
(missing AND TRUE) IS NULL
(missing AND missing) IS NULL
(missing OR FALSE) IS NULL
(size AND TRUE) IS NULL
(NOT size) IS NULL
(NOT 'red') IS NULL
(missing BETWEEN 1 AND 2) IS NULL
(size BETWEEN 1 AND missing) IS NULL
(size NOT BETWEEN missing AND 10) IS NULL
(missing IN ('a')) IS NULL
(missing NOT IN ('a')) IS NULL
(colour IN ('blue', missing)) IS NULL
(colour NOT IN ('blue', missing)) IS NULL
(missing LIKE 'a') IS NULL
(size LIKE '5') IS NULL
(size NOT LIKE '5') IS NULL
size BETWEEN 1 AND 10
size BETWEEN 5 AND 5
weight BETWEEN 2 AND 2.5
size NOT BETWEEN 6 AND 10
size NOT BETWEEN 10 AND 6
size + 1 BETWEEN size AND size + 2
NOT size BETWEEN 6 AND 10
size BETWEEN 1 AND 10 AND colour = 'red'
NOT (size BETWEEN 6 AND missing)
size NOT BETWEEN 6 AND missing
colour IN ('blue', 'red')
colour IN ('red')
colour NOT IN ('blue', 'green')
colour IN (missing, 'red')
size IN (1, 5)
size IN (1, 4 + 1)
size IN (5.0)
flag IN (FALSE, TRUE)
size IN ('5', 5)
colour IN (Colour, colour)
size NOT IN (1, 2)
NOT (colour NOT IN ('red', missing))
NOT (size NOT IN ('5', missing))
NOT (size IN ('5'))
colour LIKE 'red'
colour LIKE 'r%'
colour LIKE '%d'
colour LIKE '%e%'
colour LIKE 'r_d'
colour LIKE '___'
colour LIKE '%'
colour LIKE '%%'
colour LIKE '_%_'
colour LIKE '%r%e%d%'
empty LIKE ''
empty LIKE '%'
phone LIKE '12%3'
'123' LIKE '12%3'
phone NOT LIKE '13%'
'lose' LIKE 'l_se'
under LIKE '\_%' ESCAPE '\'
percent LIKE '%~%' ESCAPE '~'
percent LIKE '%a%' escape 'a'
'a~b' LIKE 'a~~b' ESCAPE '~'
'a_b' LIKE 'a__b' ESCAPE '_'
'a%b' LIKE 'a%%b' ESCAPE '%'
'ab' LIKE 'a~b' ESCAPE '~'
note LIKE 'it''s'
lines LIKE 'a_b'
snow LIKE '__!'
'a.c' LIKE 'a.c'
'abc' NOT LIKE 'a.c'
'[a]*(b)+?{c}^$|\' LIKE '[a]*(b)+?{c}^$|\'
note = 'it''s'
empty = ''
'''' = ''''
digits = '2'
nan <> nan
nan <> 1
NOT nan = nan
inf > big
inf - inf <> 0
1e308 * 10 = inf
NOT (colour = 5)
NOT (colour <> 5)
NOT (digits > 1)
NOT (colour > 'blue')
NOT (colour BETWEEN 'a' AND 'z')
NOT (colour NOT BETWEEN 1 AND 2)
NOT (flag = 1)
NOT (flag > off)
NOT (1 = TRUE)
NOT (5 = '5')
JMSPriority >= 4
JMSDeliveryMode = 'PERSISTENT'
JMSXGroupID = 'g1'
JMS_AMQP_TTL = 1000
amqp.priority = 4
"amqp.priority" = 4
"x-opt-dash" = 1
"say ""hi"" now" = 1
"order" = 1
_$ = 1
größe = 1
nullable = 1
"AND" IS NULL
nOt off aNd colour iN ('red') Or FALSE
1=1and 2=2
((((((size)))))) = (5)
(colour = 'red') = TRUE
(size > 1) = (size > 2)
(missing = 1) = TRUE OR TRUE
"""

FALSE_CASES = r"""
FALSE
colour = 'blue'
colour = 'Red'
colour <> 'red'
colour = 'red '
size > 5
size < 5
size <> 5
off
NOT flag
flag AND off
off OR off
missing AND off
off AND missing
FALSE AND missing
colour = 5
colour <> 5
5 = '5'
digits > 1
digits = 2
colour > 'blue'
colour >= 'red'
colour < 'z'
flag = 1
flag <> 1
flag > off
flag >= flag
1 = TRUE
'a' = FALSE
nan = nan
nan > 1
nan <= 1
inf - inf = 0
size IS NULL
missing IS NOT NULL
empty IS NULL
(size > 5) IS NULL
size BETWEEN 6 AND 10
size BETWEEN 10 AND 1
size NOT BETWEEN 1 AND 10
size BETWEEN 6 AND missing
size BETWEEN missing AND 4
colour BETWEEN 1 AND 2
colour NOT BETWEEN 1 AND 2
colour BETWEEN 'a' AND 'z'
colour IN ('blue')
colour NOT IN ('red')
colour NOT IN ('red', missing)
size IN ('5')
size NOT IN ('5')
size IN ('5', TRUE)
size NOT IN ('5', missing)
colour NOT IN ('blue', 1)
size NOT IN (5.0)
colour LIKE 're'
colour LIKE 'red_'
colour LIKE 'R%'
colour LIKE '%f%'
colour LIKE '____%'
colour LIKE ''
colour NOT LIKE 'r%'
empty LIKE '_'
under LIKE '~_' ESCAPE '~'
'bar' LIKE '\_%' ESCAPE '\'
'loose' LIKE 'l_se'
phone LIKE '12%4'
'1234' LIKE '12%3'
'aba' LIKE 'ab%ba'
'abab' LIKE '%abb%'
1 = 2 AND missing
size / 2 = 2.5
"""

UNKNOWN_CASES = r"""
missing
missing = 1
missing <> 1
missing = missing
1 = missing
NOT missing
NOT missing = 1
missing > 1 OR missing <= 1
missing AND missing
missing AND TRUE
TRUE AND missing
missing OR off
off OR missing
missing OR missing
size / 0 = 1
size / zero > 0
weight / nought > 0
size + missing = 5
missing * 0 = 0
-missing = 1
colour + 1 = 2
-colour = 1
+colour = 'red'
flag + 1 = 2
colour * 0 = 0
missing BETWEEN 1 AND 2
size BETWEEN missing AND 10
size NOT BETWEEN 1 AND missing
missing IN ('a', 'b')
missing NOT IN ('a', 'b')
missing IN (missing)
colour IN ('blue', missing)
colour NOT IN ('blue', missing)
missing LIKE '%'
missing NOT LIKE '%'
size LIKE '%'
flag NOT LIKE '%'
size
'red'
-354
(354.6)
size + 1
NOT size
size OR off
size AND flag
-687 OR 567
-(missing OR flag)
Size = 5
COLOUR = 'red'
"""


def cases() -> list[tuple[str, bool | None]]:
    """Each selector with True, False or None."""
    found: list[tuple[str, bool | None]] = []
    for text, expected in ((TRUE_CASES, True), (FALSE_CASES, False), (UNKNOWN_CASES, None)):
        found += [(line, expected) for line in text.strip("\n").split("\n")]
    return [*found, ("colour\t=\r\n\f\v 'red'", True)]


REFUSED: list[tuple[str, int, str]] = [
    ("a =", 4, "expected a name, a value or (, found the end"),
    ("a = )", 5, "found ')'"),
    ("= 1", 1, "found '='"),
    ("a b", 3, "expected an operator or the end, found 'b'"),
    ("a = 1 2", 7, "expected an operator or the end"),
    ("a = b = c", 7, "expected an operator or the end"),
    ("a < b < c", 7, "expected an operator or the end"),
    ("(a", 3, "expected an operator or ), found the end"),
    ("a)", 2, "expected an operator or the end"),
    ("()", 2, "found ')'"),
    ("a != 1", 3, "unexpected '!' (not equal is written <>)"),
    ("a == 1", 4, "found '='"),
    ("a = 'abc", 5, "expected ' to end"),
    ("a = 'abc''", 5, "expected ' to end"),
    ('"abc', 1, 'expected " to end'),
    ("a = 1;", 6, "unexpected ';'"),
    ("a & b", 3, "unexpected '&'"),
    ("a = ?", 5, "unexpected '?'"),
    ("a = \u00b2", 5, "unexpected '\u00b2'"),
    ("a = .", 5, "unexpected '.'"),
    ("a LIKE b", 8, "a string with the pattern, found 'b'"),
    ("a LIKE 234", 8, "a string with the pattern"),
    ("a LIKE 'x' ESCAPE", 18, "a string of one character"),
    ("a LIKE 'x' ESCAPE 'xy'", 19, "a string of one character"),
    ("a LIKE 'x' ESCAPE ''", 19, "a string of one character"),
    ("a LIKE 'x' ESCAPE x", 19, "a string of one character"),
    ("a LIKE 'x~' ESCAPE '~'", 8, "expected a character to escape"),
    ("a IS 5", 6, "expected NULL or NOT NULL, found '5'"),
    ("a IS NOT 5", 10, "expected NULL, found '5'"),
    ("a IS NULL NOT", 11, "expected an operator or the end"),
    ("a IS NULL OR NOT", 17, "found the end"),
    ("a IS NULL OR AND", 14, "found 'AND'"),
    ("a NOT 5", 7, "expected BETWEEN, IN or LIKE"),
    ("a NOT = 5", 7, "expected BETWEEN, IN or LIKE"),
    ("a = NOT b", 5, "found 'NOT'"),
    ("a BETWEEN 3", 12, "expected AND and the upper bound"),
    ("a BETWEEN 3 OR 4", 13, "expected AND and the upper bound"),
    ("a BETWEEN AND 4", 11, "found 'AND'"),
    ("a IN 5", 6, "expected ( and a list"),
    ("a IN ()", 7, "found ')'"),
    ("a IN (1 2)", 9, "expected , or )"),
    ("a IN (1,)", 9, "found ')'"),
    ("in = 'x'", 1, "found 'in'"),
    ("x = null", 5, "found 'null'"),
    ("Escape = 1", 1, "found 'Escape'"),
    ("1e400 = 1", 1, "'1e400' is beyond the range of numbers"),
    ("1e-400 = 0", 1, "beyond the range of numbers"),
    ("0x1p5000 = 0", 1, "beyond the range of numbers"),
    ("9223372036854775808 = 1", 1, "beyond the range of numbers"),
    ("-9223372036854775809 = 1", 2, "beyond the range of numbers"),
    ("-(9223372036854775808) = 1", 3, "beyond the range of numbers"),
    ("0x10000000000000000 = 1", 1, "beyond the range of numbers"),
    ("08 = 8", 1, "expected octal digits"),
    ("0x = 8", 3, "expected a hexadecimal digit"),
    ("0xg = 8", 3, "expected a hexadecimal digit"),
    ("0b2 = 8", 3, "expected a binary digit"),
    ("0x1.8 = 8", 6, "expected p and an exponent"),
    ("1_ = 1", 3, "expected a digit"),
    ("1e = 1", 3, "expected a digit of the exponent"),
    ("1e+ = 1", 4, "expected a digit of the exponent"),
    ("1.2.3 = 1", 4, "found '.3'"),
    ("5kg = 1", 2, "found 'kg'"),
    ("a.b.c = 1 /* comment */", 12, "expected a name, a value or (, found '*'"),
    ("\x00", 1, "unexpected '\\x00'"),
]
"""What is no selector, the character where it ends to be one, and what is said."""
