"""A small crawl, made from text that we wrote: the demo's input and the tests' test bed."""
