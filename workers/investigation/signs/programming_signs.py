"""Reads exceptions that only the code itself can raise: errors of types, names, keys and statements. Pure.

An upstream cannot cause them directly, so they speak against one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.wordings import Wording, has_any, read_table, sign
from workers.models import Sign, SignKind

WRONG = SignKind.PROGRAMMING_ERROR

CLASSES = {
    # Errors of serialisers, templates and validators that the code calls itself count, too.
    "Python": "KeyError TypeError AttributeError NameError IndexError ZeroDivisionError UnboundLocalError SyntaxError"
    " IndentationError RecursionError AssertionError NotImplementedError UnicodeDecodeError UnicodeEncodeError LookupError"
    " StopIteration MissingGreenlet DetachedInstanceError FieldError TemplateSyntaxError UndefinedError TemplateDoesNotExist"
    " NoReverseMatch ResponseValidationError SynchronousOnlyOperation PicklingError ImportError FieldDoesNotExist ValueError OverflowError",
    "JavaScript": "ReferenceError RangeError EvalError PrismaClientValidationError",
    "Ruby": "NoMethodError ArgumentError FrozenError ActionView::Template::Error AbstractController::ActionNotFound"
    " ActionController::UnknownFormat ActiveModel::UnknownAttributeError",
    "Java": "NullPointerException IndexOutOfBoundsException ArrayIndexOutOfBoundsException ClassCastException"
    " StringIndexOutOfBoundsException IllegalArgumentException IllegalStateException NumberFormatException"
    " ArithmeticException UnsupportedOperationException ConcurrentModificationException NoSuchElementException"
    " NoSuchMethodError LazyInitializationException UninitializedPropertyAccessException MatchError"
    " HttpMessageNotWritableException InvalidDefinitionException",
    ".NET": "NullReferenceException ArgumentNullException ArgumentOutOfRangeException IndexOutOfRangeException"
    " InvalidCastException KeyNotFoundException FormatException DivideByZeroException ObjectDisposedException",
    "PHP": "ErrorException DivisionByZeroError ArgumentCountError UnhandledMatchError BadMethodCallException"
    " RelationNotFoundException",
    "Elixir": "FunctionClauseError CaseClauseError UndefinedFunctionError BadMapError ArithmeticError"
    " Protocol.UndefinedError BadArityError WithClauseError",
}
"""Classes of exceptions by language; a class that several languages share stands once."""
CLASS = "|".join(
    sorted(map(re.escape, " ".join(CLASSES.values()).split()), key=lambda name: (-len(name), name))
)
# The class where an exception is named: at the beginning of a line or after a prefix, before its message.
RAISED = re.compile(rf"(?:^|[\s(.\[:\\|]|Uncaught |#<)(?P<name>{CLASS})(?=:|\)|\(|$| \(|\]|\s-)", re.M)
# Errors that begin with a class of this list although the network or the text of another service caused them.
CAUSED_OUTSIDE = re.compile(
    r"TypeError: (?:fetch failed|Failed to fetch|terminated|NetworkError|Load failed|network error|Invalid URL)"
    r"|SyntaxError: (?:Unexpected (?:token|end of JSON|non-whitespace)[^\n]{0,200}JSON|Unexpected token '?<|Expected [^\n]{1,80} in JSON"
    r"|Unexpected end of JSON|\"[^\n]{0,200}is not valid JSON|JSON\.parse)"
)
NAME_PARTS = (
    "error",
    "exception",
    "greenlet",
    "onlyoperation",
    "reversematch",
    "doesnotexist",
    "stopiteration",
    "unknownformat",
)
"""Each class of the list holds one of these."""
# Python's words between an exception and one that its handler raised: the first one was handled.
HANDLED = "During handling of the above exception, another exception occurred:"
JVM_CAUSE = "Caused by: "

STATEMENTS: tuple[Wording, ...] = (
    # JavaScript without its class, as loggers print `error.message` alone.
    Wording(
        WRONG,
        r"Cannot (?:read|set) propert(?:y|ies) (?:'\w{1,60}' )?of (?:undefined|null)|\b[\w$.]{1,80} is not a function\b|is not iterable\b",
        "TypeError",
    ),
    # Go.
    Wording(WRONG, r"invalid memory address or nil pointer dereference", "nil pointer dereference"),
    Wording(WRONG, r"runtime error: (?:index|slice bounds) out of range", "index out of range"),
    Wording(WRONG, r"runtime error: integer divide by zero", "integer divide by zero"),
    Wording(WRONG, r"assignment to entry in nil map", "assignment to entry in nil map"),
    Wording(WRONG, r"interface conversion: ", "interface conversion"),
    Wording(
        WRONG,
        r"(?:send on|close of) closed channel|all goroutines are asleep - deadlock|concurrent map (?:writes|read and map write|iteration)",
        "concurrency error",
    ),
    Wording(WRONG, r"sql: Scan error|json: cannot unmarshal", "unmarshal error"),
    # Rust.
    Wording(WRONG, r"called `(?:Option|Result)::unwrap\(\)` on an? `(?:None|Err)`", "unwrap"),
    Wording(
        WRONG,
        r"panicked at [^\n]{1,200}(?:index out of bounds|attempt to (?:add|subtract|multiply|divide)|already borrowed|not yet implemented|byte index)",
        "panic",
    ),
    Wording(
        WRONG,
        r"index out of bounds: the len is|attempt to (?:subtract|add|multiply) with overflow|attempt to divide by zero",
        "panic",
    ),
    # PHP.
    Wording(
        WRONG,
        r"(?:Undefined (?:array key|variable|index|property|offset)|Call to undefined method)\b",
        "Undefined",
    ),
    Wording(
        WRONG,
        r"(?:Call to a member function \w{1,60}\(\)|Attempt to read property \"?\w{1,60}\"?|Trying to access array offset on value of type) on null|Attempt to read property \"\w{1,60}\" on \w{1,20}",
        "Error",
    ),
    # Ruby without its class.
    Wording(
        WRONG, r"undefined (?:method|local variable or method) [`']|nil can't be coerced", "NoMethodError"
    ),
    # Statements that do not fit the schema: PostgreSQL, MySQL, SQLite.
    Wording(
        WRONG, r"column (?:\"?[\w.]{1,80}\"?)(?: of relation \"\w{1,63}\")? does not exist", "UndefinedColumn"
    ),
    Wording(
        WRONG,
        r"(?<!of )relation \"[\w.]{1,80}\" does not exist|table `?[\w.]{1,80}`? does not exist in the current database|Table '[\w.]{1,80}' doesn't exist",
        "UndefinedTable",
    ),
    Wording(
        WRONG,
        r"Table '[\w.]{1,80}' doesn't exist|no such table:? \w|no such column:? \w|has no column named",
        "UndefinedTable",
    ),
    Wording(WRONG, r"Unknown column '[\w.]{1,80}'", "UndefinedColumn"),
    Wording(
        WRONG,
        r"syntax error at or near|error in your SQL syntax|near \"[^\"\n]{1,40}\": syntax error",
        "SyntaxError",
    ),
    Wording(
        WRONG,
        r"null value in column \"\w{1,63}\"|violates (?:not-null|foreign key|check) constraint|NOT NULL constraint failed|FOREIGN KEY constraint failed|cannot be null",
        "IntegrityError",
    ),
    Wording(
        WRONG,
        r"invalid input syntax for (?:type )?\w|operator does not exist|out of range for type",
        "DataError",
    ),
    # Serialisers.
    Wording(
        WRONG,
        r"is not JSON serializable|Converting circular structure to JSON|Do not know how to serialize a BigInt",
        "TypeError",
    ),
    # React, LINQ.
    Wording(
        WRONG,
        r"Objects are not valid as a React child|Hydration failed because|Rendered (?:more|fewer) hooks than",
        "React",
    ),
    Wording(WRONG, r"Sequence contains no (?:matching )?elements?", "InvalidOperationException"),
    # A crash in native code.
    Wording(WRONG, r"[Ss]egmentation fault|\bSIGSEGV\b|(?:code|status)[:= ]{1,2}139\b", "SIGSEGV"),
)


def programming_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of kind `PROGRAMMING_ERROR` with the class of the exception that was not handled, its cause first."""
    text = CAUSED_OUTSIDE.sub("", record.message) if "error: " in record.lowered else record.message
    text = text.rpartition(HANDLED)[2]
    if JVM_CAUSE in text:
        text = text[text.rfind(JVM_CAUSE) :]
    if has_any(record.lowered, NAME_PARTS):
        for name in dict.fromkeys(match["name"] for match in RAISED.finditer(text)):
            yield sign(WRONG, name)
    yield from read_table(STATEMENTS, text, record.lowered)
