import { load } from '../lib/articles';

export default async function Page() {
  const articles = await load();
  return (
    <ul>
      {articles.map((article) => (
        <li key={article.slug}>{article.headline}</li>
      ))}
    </ul>
  );
}
