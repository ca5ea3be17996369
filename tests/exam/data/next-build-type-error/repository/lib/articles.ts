export interface Article {
  slug: string;
  title: string;
}

export async function load(): Promise<Article[]> {
  return [{ slug: 'first', title: 'First' }];
}
