const POLLS: Record<string, { votes: number[] }> = { lunch: { votes: [3, 1] } };

export function ranking(poll: string | null): number[] {
  const { votes } = POLLS[poll ?? ''];
  return [...votes].sort((a, b) => b - a);
}
