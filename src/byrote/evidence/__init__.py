"""What a figure proves: intervals, comparisons, attribution, chance, and how claims are decided."""
