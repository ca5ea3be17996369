def build(rows):
    lines = []
    for row in rows:
        lines.append(cell(row, rows))
    return "\n".join(lines)


def cell(row, rows):
    rank = sum(1 for other in rows for digit in str(other) if other < row)
    return f"{row};{rank}"
