"""What people look at after a run: a page in the browser and a summary in the terminal."""
