"""The table of bad input to every public function; `tests.test_bad_input` runs it.

`arguments` and `structures` say how each argument of each function gets a value, and what a bad one is refused with.
`odd` are values of wrong types, tried on all of them; `documents` are transactions with one fault, tried on all
functions that take one; `cases` puts these together and adds values that only look right.
"""
