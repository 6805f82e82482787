"""The Retention Workbook: who stays, who leaves, who behaves alike."""
