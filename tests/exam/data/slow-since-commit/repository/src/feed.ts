import type { Request, Response } from 'express';
import { posts, author } from './store';

export async function feed(_req: Request, res: Response): Promise<void> {
  const result = [];
  for (const post of await posts()) {
    result.push({ ...post, author: await author(post.authorId) });
  }
  res.json(result);
}
