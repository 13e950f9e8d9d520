"""The pages at `/explorer`, for people who look at a ledger.

- `site` puts the pages together into an application of its own, with its errors and headers; `pages` answers requests.
- `front`, `records`, `holdings` and `members` turn what the node says into what a page shows; `search` finds the page.
- `drawing` and `trees` draw (SVG); `conditions` puts a condition into words; `texts` makes any text safe to look at.
"""
