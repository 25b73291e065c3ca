"""One frozen dataclass a verb, one file a family of verbs, shared groups as parents. The standard library only.

A field's docstring becomes its line in `--help`. `None` means "not given": recipes and defaults are filled in after
parsing, so that an option on the command line beats the recipe and the recipe beats the default. Metadata:
`positional` makes a field a bare word, `rare` moves it to `--help-all`, `comma=False` keeps the commas in a list's
words, `metavar` is what `--help` shows for the value.
"""
