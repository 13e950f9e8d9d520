"""The explorer in a real browser: headless Chromium, driven by Playwright.

`BIGCHAINDB_TEST_CHROMIUM` says where Chromium is, unless it is on the PATH; without it these tests are skipped.  With
`BIGCHAINDB_TEST_SCREENSHOTS=1` the pictures in `docs/images/` are made anew: where the fonts are those of
`fonts-dejavu-core` and no others, as in CI.
"""
