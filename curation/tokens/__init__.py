"""Token shards: Megatron `.bin/.idx`, packed Parquet, and the manifest that describes both."""
