//! Plain tables: left-aligned columns, two blanks apart.

/// Blanks between two columns.
const GAP: &str = "  ";

/// Lays out rows, the heading being the first of them, without a newline at the end.
///
/// Cells are trimmed and every column but the last is padded to its widest cell, counted in characters. The last one is
/// never padded, so that a row with an empty last cell ends in blanks: that is what scripts have parsed for years.
///
/// # Source
/// The tables of Consul 1.21.
pub(crate) fn lay_out<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].trim().chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                if column + 1 == N {
                    line.push_str(cell.trim());
                } else {
                    line.push_str(&format!("{:<width$}{GAP}", cell.trim(), width = widths[column]));
                }
            }
            line
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<[String; N]> {
        rows.iter().map(|row| row.map(str::to_owned)).collect()
    }

    #[test]
    fn every_column_but_the_last_is_padded_to_its_widest_cell() {
        let text = lay_out(&rows(&[["Name", "State", "Meta"], ["b", "ACTIVE", "k=v"], ["longer", "X", ""]]));
        assert_eq!(text, "Name    State   Meta\nb       ACTIVE  k=v\nlonger  X       ");
    }

    #[test]
    fn widths_are_counted_in_characters_and_cells_are_trimmed() {
        assert_eq!(lay_out(&rows(&[["größe", "x"], [" a ", " y "]])), "größe  x\na      y");
    }
}
