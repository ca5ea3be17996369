const SHAPES: Record<string, { sides: number[] }> = { square: { sides: [2, 2] } };

export function area(kind: string): number {
  return SHAPES[kind].sides.reduce((product, side) => product * side, 1);
}
