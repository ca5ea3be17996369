import { format } from 'date-fns';

export default function Page() {
  return <p>{format(new Date(), 'yyyy')}</p>;
}
