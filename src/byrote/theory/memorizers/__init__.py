"""Networks that hold any targets on given points, built rather than trained."""
