"""The planted values: names, e-mail addresses, phone numbers, street addresses, identity numbers and sentences of
diaries, in the words of some forty locales.

Each begins with a unique part of its own script, drawn at random and at least 12 bytes long, so that a value cannot
occur by chance, and one that was cut off somewhere is found all the same. That part is what is searched for, in
every form in which a server might have written it.
"""

import base64
import random

from faker import Faker

KINDS = ("name", "e-mail", "phone", "address", "identity number", "diary")


def letters(first, last, without=""):
    return "".join(chr(c) for c in range(ord(first), ord(last) + 1) if chr(c) not in without)


# Latin does without a to f: what is printed in hexadecimal never looks like a value.
SCRIPTS = {
    "Latin": letters("g", "z"),
    "Cyrillic": letters("а", "я"),
    "Greek": letters("α", "ω"),
    "Arabic": letters("ا", "غ") + letters("ف", "ي"),
    "Hebrew": letters("א", "ת"),
    "Devanagari": letters("क", "ह"),
    "Georgian": letters("ა", "ჰ"),
    "Thai": letters("ก", "ฮ"),
    "Hangul": letters("가", "힣"),
    "Kana": letters("あ", "ん"),
    "Han": letters("一", "鿋"),
}
LOCALES = {
    "Latin": ("en_US", "en_GB", "de_DE", "fr_FR", "es_MX", "it_IT", "pt_BR", "nl_NL", "pl_PL", "cs_CZ", "hu_HU",
              "fi_FI", "sv_SE", "no_NO", "dk_DK", "hr_HR", "sl_SI", "lt_LT", "lv_LV", "et_EE", "tr_TR", "id_ID"),
    "Cyrillic": ("ru_RU", "uk_UA", "bg_BG"),
    "Greek": ("el_GR",),
    "Arabic": ("ar_SA", "ar_PS", "fa_IR"),
    "Hebrew": ("he_IL",),
    "Devanagari": ("hi_IN", "ne_NP"),
    "Georgian": ("ka_GE",),
    "Thai": ("th_TH",),
    "Hangul": ("ko_KR",),
    "Kana": ("ja_JP",),
    "Han": ("zh_CN", "zh_TW"),
}
UNIQUE_DIGITS = 16

# What breaks quoting, templates and formats.
NASTY = ("it's 100% \"mine\"", "\\o/ %s %m $1", "{a,b} (c)", "tab\there", "-- /* */ ;", "<&> ''", "")


class Value:
    """One planted value; "unique" is the part that is searched for."""

    __slots__ = ("number", "kind", "script", "unique", "text")

    def __init__(self, number, kind, script, unique, text):
        self.number = number
        self.kind = kind
        self.script = script
        self.unique = unique
        self.text = text


class Planted:
    """A value, and how it was handed to the server."""

    __slots__ = ("value", "kind", "way", "situation", "function", "argument", "variant", "state", "stored", "large",
                 "long")

    def __init__(self, value, kind, way, situation, function, argument, variant, state):
        self.value = value
        self.kind = kind
        self.way = way
        self.situation = situation
        self.function = function
        self.argument = argument
        self.variant = variant
        self.state = state
        self.stored = False             # in the control: committed into its table
        self.large = False              # it stands in what is huge
        self.long = False               # its statement ran long enough to be seen

    @property
    def path(self):
        return self.way if self.situation == "committed" else self.situation


class Values:
    """Draws values, the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.fakers = {locale: Faker(locale) for locales in LOCALES.values() for locale in locales}
        for locale, faker in self.fakers.items():
            faker.seed_instance(f"{seed} {locale}")
        self.taken = set()
        self.all = []

    def unique(self, kind, script):
        alphabet = SCRIPTS[script]
        length = 12
        if kind in ("phone", "identity number"):
            alphabet, length = "0123456789", UNIQUE_DIGITS
        while True:
            part = "".join(self.random.choices(alphabet, k=length))
            if part[0] != "0" and part not in self.taken:
                self.taken.add(part)
                return part

    def new(self, kind=None):
        """A value of a kind; of each kind and script in turn if none is asked for."""
        number = len(self.all)
        kind = kind or KINDS[number % len(KINDS)]
        script = list(SCRIPTS)[number // len(KINDS) % len(SCRIPTS)]
        faker = self.fakers[self.random.choice(LOCALES[script])]
        unique = self.unique(kind, script)
        value = Value(number, kind, script, unique, self.text(kind, unique, faker))
        self.all.append(value)
        return value

    def text(self, kind, unique, faker):
        if kind == "name":
            return f"{unique} {faker.name()}"
        if kind == "e-mail":
            return f"{unique}.{faker.email()}"
        if kind == "phone":
            return f"{unique} {faker.phone_number()}"
        if kind == "address":
            return f"{unique} {faker.address()}"
        if kind == "identity number":
            return f"{unique}{faker.ssn()}"
        return f"{unique}: {faker.sentence()} {faker.name()} {self.random.choice(NASTY)} {faker.sentence()}"

    def digits(self):
        """A value of digits alone, too long for any integer."""
        value = self.new("identity number")
        value.text = value.unique + "".join(self.random.choices("123456789", k=14))
        return value


def base64_forms(data):
    """What every base64 text that holds these bytes has in it, at each of the three alignments."""
    forms = set()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data)
        forms.add(text[(8 * before + 5) // 6:(before + len(data)) * 8 // 6])
    return forms | {form.translate(bytes.maketrans(b"+/", b"-_")) for form in forms}


def forms_of(unique):
    """Every form in which a value is looked for, as (name of the form, bytes)."""
    raw = unique.encode()
    forms = [("raw", raw)]
    forms += [("base64", form) for form in sorted(base64_forms(raw))]
    forms += [("hex", raw.hex().encode()), ("hex", raw.hex().upper().encode())]
    forms += [("UTF-16", unique.encode("utf-16-le")), ("UTF-16", unique.encode("utf-16-be"))]
    if not unique.isascii():
        escaped = "".join(f"\\u{ord(c):04x}" for c in unique)
        capital = "".join(f"\\u{ord(c):04X}" for c in unique)
        octal = "".join(f"\\{b:03o}" for b in raw)
        forms += [("escaped", text.encode()) for text in (escaped, capital, octal)]
    return list(dict.fromkeys(forms))
