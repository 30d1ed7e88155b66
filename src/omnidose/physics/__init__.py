"""Materials, photon interactions and tube spectra: tables and formulas, no transport."""
