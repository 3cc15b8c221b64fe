"""Exact and near duplicates over the whole corpus: edges, components, one survivor each."""
