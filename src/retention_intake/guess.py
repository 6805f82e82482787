"""What unknown tables seem to hold: how they are written, which column is which, what else.

Every guess is checked against all values, never the first rows alone. Where two readings fit, none
is taken. The result is a proposal with its reasons in words, for somebody to read.
"""

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw
import polars as pl

from retention import schema
from retention.book import COLUMNS, Book
from retention.errors import Refused
from retention.tables import conditions
from retention_intake import files, sources

USUAL = {  # names a column of ours often has, best first, as `plain` writes them
    "customer_id": "customerid customer customerno customernumber custid clientid client userid "
    "user memberid member accountid account householdid household kundennummer kundennr kundenid "
    "kunde",
    "at": "at invoicedate orderdate orderedat purchasedate purchasedat transactiondate eventdate "
    "eventtime datetime timestamp date createdat bestelldatum rechnungsdatum kaufdatum datum",
    "kind": "kind eventtype eventkind eventname event action activity",
    "order_id": "orderid orderno ordernumber order invoiceno invoiceid invoicenumber invoice "
    "basketid transactionid receiptid receipt bestellnummer bestellnr rechnungsnummer rechnungsnr "
    "belegnr",
    "amount": "amount total totalamount ordertotal totalprice linetotal revenue salesvalue sales "
    "value spend betrag gesamtbetrag umsatz summe",
    "quantity": "quantity qty units menge anzahl stuckzahl",
    "price": "unitprice priceeach price einzelpreis stuckpreis preis",
    "product": "productname itemname articlename description productdescription artikelname "
    "bezeichnung product item article artikel produkt productid productcode sku stockcode itemid "
    "artikelnummer artikelnr",
    "category": "category productcategory department productgroup kategorie warengruppe",
    "channel": "channel saleschannel kanal vertriebskanal",
    "started": "started start startdate begin begindate validfrom contractstart vertragsbeginn "
    "beginn",
    "ended": "ended end enddate validto validuntil cancelledat canceledat cancellationdate "
    "churndate contractend vertragsende ende",
    "booked": "booked bookedat bookedon noticedate noticegiven kundigungseingang",
    "observed_until": "observeduntil plannedend fixedend fixeduntil termends minimumterm courseend",
    "cause": "cause reason churnreason cancellationreason kundigungsgrund grund",
    "plan": "plan planname tariff package subscription tarif paket",
    "customers.started": "started signupdate signedup signedupat registered registeredat joined "
    "registrationdate joindate joinedat customersince createdat kundeseit registriert",
    "contracts.amount": "amount monthlyamount monthlyfee monthlyprice mrr fee monatsbeitrag",
    "sent": "sent sentat sentdate senddate asked askedat surveydate date createdat versandt datum",
    "answered": "answered answeredat respondedat responsedate submittedat completedat beantwortet",
    "score": "score rating npsscore nps csatscore csat answer response value bewertung antwort",
    "surveys.kind": "kind surveytype survey type metric questiontype question umfrage frage",
}
USUAL["customers.customer_id"] = USUAL["customer_id"] + " id"
PERSONAL = ("name", "mail", "phone", "telefon", "mobile", "address", "adresse", "street", "strasse")
PERSONAL += ("postcode", "zip", "plz", "iban", "birth", "geburt")
PARTS = ("quantity", "price")  # whose product is an amount
SURVEYS = ("nps", "promot", "recommend", "empfehl", "csat", "satisf", "zufrieden")  # meant by these
CSV = {"delimiter": ",", "encoding": "utf-8", "decimal": ".", "date_format": ""}  # what is usual
DAYS = "%d.%m.%Y %d/%m/%Y %m/%d/%Y %d-%m-%Y %m-%d-%Y %Y/%m/%d %Y.%m.%d %Y%m%d %d.%m.%y %d/%m/%y"
DAYS = (*DAYS.split(), "%m/%d/%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y")
FORMS = [f"{day}{clock}" for day in DAYS for clock in ("", " %I:%M %p", " %I:%M:%S %p")]
LEVELS = 50  # a text with more is no attribute
OFTEN = 50  # ends of one cause that can be looked at by themselves


@dataclass(frozen=True)
class Column:
    """What all values of a column can be: sorts of "text", "whole", "number", "day", "truth"
    ("survey": some name a survey of NPS or CSAT); of text the date formats in which every value is
    a day ("" is ISO), and the decimal marks with which every value is a number (none where all are
    whole).
    """

    sorts: frozenset[str] = frozenset()
    forms: tuple[str, ...] = ()
    decimals: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A name without case, accents, spaces and marks: Customer_ID is customerid."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def hopeful(table: str, ours: str, given: Iterable[str]) -> list[str]:
    """The columns whose names are usual for our column, the best first."""
    usual = [plain(ours), *USUAL.get(f"{table}.{ours}", USUAL[ours]).split()]
    return sorted((n for n in given if plain(n) in usual), key=lambda n: usual.index(plain(n)))


def names(frame) -> list[str]:
    """The columns' names of any lazy frame."""
    return nw.from_native(frame).collect_schema().names()


def values(frame, name: str) -> list:
    """The known values of a column, in order; none where there is no such column."""
    if name not in names(frame):
        return []
    levels = nw.from_native(frame).lazy().select(name).unique().sort(name).collect("polars")
    return levels.to_native()[name].drop_nulls().to_list()


def dialect(paths: list[Path], said: dict[str, str]) -> dict[str, str]:
    """How CSV files are written, where it is not usual: encoding and delimiter."""
    wide = any(map(files.is_utf16, paths))
    odd = any(files.undecodable(path, "utf-8") for path in paths)
    guessed = "utf-16" if wide else "windows-1252" if odd else "utf-8"
    encoding, marks = said.get("encoding", guessed), {}
    for path in paths:
        with path.open(encoding=encoding, errors="replace", newline="") as text:
            header = text.readline()
        widths = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in ",;\t|"}
        marks[said.get("delimiter") or max(widths, key=widths.get)] = path.name
    if len(marks) > 1:
        words = ", ".join(f"{name} by {mark!r}" for mark, name in marks.items())
        raise Refused(f"the files have different delimiters ({words}); save them all with one")
    found = {"encoding": encoding, "delimiter": next(iter(marks))}
    return {key: way for key, way in found.items() if way != CSV[key]}


def stated(said: list[str], tables: dict[str, list[str]]) -> dict[str, dict]:
    """What the user says of columns, by table: ours=theirs holds where there is such a column,
    table.ours=theirs for one table; theirs may be a product a*b, or empty (none of theirs).
    """
    found = {table: {} for table in tables}
    for words in said:
        (only, _, ours), theirs = words.partition("=")[0].rpartition("."), words.partition("=")[2]
        whole = any(theirs in given for given in tables.values())
        parts = [theirs] if whole else theirs.split("*")
        fits = {
            table
            for table, given in tables.items()
            if only in ("", table) and ours in sum(COLUMNS[table], ()) and {*parts} <= {*given, ""}
        }
        if not fits:
            known = "; ".join(f"{table}: {', '.join(given)}" for table, given in tables.items())
            raise Refused(f"--column {words}: no table has such columns (found: {known})")
        found |= {t: found[t] | {ours: parts[0] if len(parts) == 1 else parts} for t in fits}
    return found


def columns(table: str, frame, said: dict, book: Book) -> dict[str, Column]:
    """All columns; what they can be is looked at where their name may be meant by ours."""
    given = names(frame)
    meant = {n for ours in (*sum(COLUMNS[table], ()), *PARTS) for n in hopeful(table, ours, given)}
    meant |= {name for theirs in said.values() for name in files.each(theirs)}
    seen = {name: _column(frame, name, book) if name in meant else Column() for name in given}
    for name in hopeful(table, "kind", given) if table == "surveys" else ():
        if any(map(_is_survey, values(frame, name))):
            seen[name] = Column(seen[name].sorts | {"survey"})
    return seen


def _column(frame, name: str, book: Book) -> Column:
    """What a column can be: by its type, or of text in files by all its values."""
    dtype = nw.from_native(frame).collect_schema()[name]
    if dtype == nw.String and isinstance(frame, pl.LazyFrame):
        return _written(frame, name, book)
    return Column(_sorts(dtype))


def _sorts(dtype) -> frozenset[str]:
    day = dtype in (nw.Date, nw.Datetime)
    kinds = {"whole": dtype.is_integer(), "number": dtype.is_numeric(), "day": day}
    kinds["truth"] = dtype == nw.Boolean
    return frozenset(kind for kind, fits in kinds.items() if fits) or frozenset({"text"})


def _written(frame: pl.LazyFrame, name: str, book: Book) -> Column:
    known = pl.col(name).str.strip_chars().drop_nulls()
    number = known.cast(pl.Float64, strict=False).is_finite().fill_null(False)
    comma, whole, digit = (known.str.contains(p) for p in (files.COMMA, r"^[-+]?\d+$", r"\d"))
    asked = {"point": number, "comma": comma, "whole": whole, "digit": digit}
    all_of_some = {key: one.all() & (known.len() > 0) for key, one in asked.items()}
    point, comma, whole, digit = frame.select(**all_of_some).collect().row(0)
    decimals = [mark for mark, fits in ((".", point), (",", comma)) if fits and not whole]
    forms = _forms(frame.drop_nulls(name), name, book) if digit else ()
    sorts = {"text": True, "number": whole or decimals, "day": forms}
    return Column(frozenset(s for s, fits in sorts.items() if fits), forms, tuple(decimals))


def _forms(frame: pl.LazyFrame, name: str, book: Book) -> tuple[str, ...]:
    """The date formats in which every value is a day of 1900 or later; ISO alone where it fits."""
    given = book.source.date_format  # "" is ISO
    found = _fitting(frame, name, book, [given])
    return found if found or given else _fitting(frame, name, book, FORMS)


def _fitting(frame: pl.LazyFrame, name: str, book: Book, tried: list[str]) -> tuple[str, ...]:
    for rows in (frame.head(20), frame.head(1_000), frame):  # most are ruled out by few rows
        fits = {}
        for form in tried:
            source = book.source.model_copy(update={"date_format": form})
            read = book.model_copy(update={"source": source, "timezone": "Etc/UTC"})
            found = files.day(rows, name, read)
            real = (found["value"] >= schema.FIRST_DAY).all()
            fits[form or "ISO"] = found["fault"].is_null().all() & real
        fit = rows.select(**fits).collect().row(0) if fits else ()
        tried = [form for form, fits in zip(tried, fit, strict=True) if fits]
    return tuple(tried)


def mapping(
    table: str, seen: dict[str, Column], said: dict[str, str | list[str]], place: str
) -> tuple[dict[str, str | list[str]], dict[str, str]]:
    """Which of their columns is which of ours: ours to theirs, and notes on what is doubtful, or
    not found though a name is usual for it.

    Raises:
        Refused: a required column of ours is not found; or none of the days of answers, where there
            are scores.
    """
    found, notes = {ours: theirs for ours, theirs in said.items() if theirs}, {}

    def fitting(ours: str) -> list[str]:
        return [name for name in unused(ours) if seen[name].sorts & _wanted(table, ours)[0]]

    def unused(ours: str) -> list[str]:
        used = {name for theirs in found.values() for name in files.each(theirs)}
        return [name for name in hopeful(table, ours, seen) if name not in used]

    required, optional = COLUMNS[table]
    for ours in (name for name in (*required, *optional) if name not in said):
        odd, (_, kind) = unused(ours), _wanted(table, ours)
        hint = f"{odd[0]!r} is empty, or some of its values are not {kind}" if odd else ""
        if fits := fitting(ours):
            found[ours] = fits[0]
            notes |= {ours: f"or {', '.join(fits[1:])}?"} if fits[1:] else {}
        elif ours in required or (ours == "answered" and ("score" in found or fitting("score"))):
            add = f", or add one that says {kind} in every row" if ours == "kind" else ""
            raise Refused(
                f"{place}: no column found for {ours!r}{hint and f'; {hint}'} "
                f"(found: {', '.join(seen)}); say which one it is: --column {ours}=...{add}"
            )
        elif hint:
            notes[ours] = f"no {ours}: {hint}"
    if table == "events" and "amount" not in {*found, *said} and (price := fitting("price")):
        quantity = fitting("quantity")
        found["amount"] = [quantity[0], price[0]] if quantity else price[0]
        notes["amount"] = "multiplied" if quantity else "a price, used as the amount of its row"
    return found, notes


def _wanted(table: str, ours: str) -> tuple[set[str], str]:
    """The sorts of which a column of ours may be one, and what its values then are."""
    if (table, ours) == ("surveys", "kind"):
        return {"survey"}, " or ".join(schema.SCALES)
    if ours in sources.DATES:
        return {"day"}, "dates, all written the same way"
    if ours in {*sources.NUMBERS, *PARTS}:
        return {"number"}, "numbers, all written the same way"
    return {"text", "whole"}, "text or whole numbers"


def agreed(ways: dict[str, tuple[str, ...]], key: str) -> str:
    """The one way in which all columns can be read; the usual where any will do.

    Raises:
        Refused: several ways fit all columns, or none does; the message names the option.
    """
    several = {name: fits for name, fits in ways.items() if fits and fits != ("",)}
    common = set.intersection(*map(set, several.values())) if several else {CSV[key]}
    if len(common) == 1:
        return common.pop()
    choice = " or ".join(f'--{key.replace("_", "-")} "{way}"' for way in sorted(common))
    what = f"can be read in several ways; say which: {choice}"
    what = what if common else "are written in different ways; write them all the same way"
    raise Refused(f"the values of {', '.join(several)} {what}")


def left_out(frame, only: dict) -> dict[str, int]:
    """How many rows each condition on columns of ``frame`` leaves out beyond those before it."""
    counts, before, given = {}, nw.lit(True), names(frame)
    for name, condition in only.items():
        if name in given:
            holds = conditions.holds({name: condition})
            counts[name] = _one(before & ~holds).sum()
            before = before & holds
    rows = nw.from_native(frame).lazy().select(**counts).collect("polars") if counts else None
    return rows.rows(named=True)[0] if counts else {}


def _one(holds: nw.Expr) -> nw.Expr:
    """1 where it holds, else 0: not every engine makes a number of a truth."""
    return nw.when(holds).then(nw.lit(1)).otherwise(nw.lit(0))


def refunds(frame, kind: str, amounts: list[str]) -> tuple[list[str], bool]:
    """The kinds of which every amount is negative, and whether every kind has amounts."""
    below = nw.any_horizontal(*(nw.col(name) < 0 for name in amounts), ignore_nulls=True)
    none = nw.any_horizontal(*(nw.col(name).is_null() for name in amounts), ignore_nulls=True)
    marked = nw.from_native(frame).lazy().select(kind, below=_one(below), none=_one(none))
    sums = (nw.col(name).sum().cast(nw.Int64) for name in ("below", "none"))
    kinds = marked.group_by(kind).agg(*sums, n=nw.len()).sort(kind).collect("polars").to_native()
    gone = kinds.filter(pl.col("below") == pl.col("n"))[kind].to_list()
    return gone, bool((kinds["none"] < kinds["n"]).all())


def other_surveys(frame, kind: str) -> list[str]:
    """The kinds of survey that are not meant for NPS or CSAT, where some are."""
    kinds = values(frame, kind)
    others = [name for name in kinds if not _is_survey(name)]
    return others if len(others) < len(kinds) else []


def _is_survey(name: object) -> bool:
    """Whether a name of a survey, however it is written, seems to mean NPS or CSAT."""
    return any(word in plain(str(name)) for word in SURVEYS)


def attributes(frame, given: list[str]) -> tuple[list[str], str]:
    """Which further columns of the customers table say what sort of customer one is, and which do
    not: what is personal, text with more than 50 levels, whole numbers nearly all different, dates,
    one value alone.
    """
    kept, out, table = [], [], nw.from_native(frame).lazy()
    for name in given:
        known = table.filter(~nw.col(name).is_null())
        rows, levels = known.select(n=nw.len(), u=nw.col(name).n_unique()).collect("polars").row(0)
        sorts = _sorts(table.collect_schema()[name])
        personal = any(word in plain(name) for word in PERSONAL)
        most = 0.9 * rows if "whole" in sorts else rows if "number" in sorts else LEVELS
        odd = "day" in sorts or name in sources.OURS or not name.strip()
        (kept if 2 <= levels <= most and not personal and not odd else out).append(name)
    return kept, f"left out: {', '.join(out)}" if out else ""


def bought(activity: pl.DataFrame) -> list[str]:
    """The kinds of event that look like purchases: those with amounts, else the most frequent."""
    kinds = activity.group_by("kind").agg(pl.col("events", "amount_cents").sum()).sort("kind")
    priced = kinds.filter(pl.col("amount_cents") > 0)["kind"].to_list()
    return priced or kinds.sort("events", "kind", descending=[True, False])["kind"].to_list()[:1]


def covariates(book: Book, customers: pl.DataFrame) -> list[str]:
    """What may go with leaving: at most four texts with few levels, known of everybody.

    Takes   the table "customers_at" of the book's refresh
    """
    texts = [n for n in ("plan", *(book.attributes or ())) if customers[n].dtype == pl.String]
    known = [n for n in dict.fromkeys(texts) if not customers[n].has_nulls()]
    return [name for name in known if 2 <= customers[name].n_unique() <= 6][:4]


def parameters(book: Book, spells: pl.DataFrame) -> dict[str, dict]:
    """Parameters where those of the notebooks would say little about such a book.

    Takes   the table "spells" of the book's refresh
    """
    causes = spells.group_by("cause").len().sort("len", "cause", descending=True).drop_nulls()
    often = causes.filter(pl.col("len") >= OFTEN)["cause"].to_list()[:4]
    leaving = {"by": book.covariates[0]} if book.covariates else {}
    leaving |= {"causes": sorted(often)} if often else {}
    return {"20_survival": leaving} if leaving else {}
