RVCHECK ; prints the state of a restored instance for the harness to judge; changes nothing
 ; Runs unchanged on IRIS and GT.M. The globals are described in RVWORK.
 quit
 ;
summary(w) ;
 ; Everything but the history, of all writers; w is ignored. One fact a line, fields between bars:
 ;   w|writer        a subscript found at the writers' level of any global
 ;   s|writer|one|two|confirmed      empty if a node is not there, or its check is not right
 ;   b|writer|account|balance
 ;   t|writer|i|value|child
 ;   l|writer|slot|value
 ;   k|database|parts|subscript|...|value        cold data; what is no letter, digit or one of .:- is %code;
 ;                   parts is the number of subscripts; a long value goes on in lines that begin with a plus
 ;   e|writer|value  what the writer saw in ^RVAX("stop") as it began
 ;   x|node          a node of a kind that no workload writes
 ;   r|value         ^RVAX("stop"), empty if it is not there
 ;   n|counter       and last: end
 new a,i,k,w
 do writers
 set w="" for  set w=$order(w(w)) quit:w=""  do
 . write "w|",w,!
 . write "s|",w,"|",$get(^RVAS(w)),"|",$get(^RVBS(w)),"|",$$confirmed(w),!
 . set a="" for  set a=$order(^RVA("b",w,a)) quit:a=""  write "b|",w,"|",a,"|",^RVA("b",w,a),!
 . set i="" for  set i=$order(^RVB("t",w,i)) quit:i=""  write "t|",w,"|",i,"|",$get(^RVB("t",w,i)),"|",$get(^RVB("t",w,i,1)),!
 . set k="" for  set k=$order(^RVB("l",w,k)) quit:k=""  write "l|",w,"|",k,"|",^RVB("l",w,k),!
 . if $data(^RVB("e",w)) write "e|",w,"|",$$named(^RVB("e",w)),!
 set k="" for  set k=$order(^RVA(k)) quit:k=""  if ",b,h,n,"'[(","_k_",") write "x|^RVA(",$$named(k),")",!
 set k="" for  set k=$order(^RVB(k)) quit:k=""  if ",e,h,l,t,"'[(","_k_",") write "x|^RVB(",$$named(k),")",!
 set k="" for  set k=$order(^RVAX(k)) quit:k=""  if k'="stop" write "x|^RVAX(",$$named(k),")",!
 write "r|",$$named($get(^RVAX("stop"))),!
 do cold(1,"^RVAK"),cold(2,"^RVBK")
 write "n|",$get(^RVA("n")),!
 write "end",!
 quit
 ;
cold(d,g) ;
 ; In a damaged database it may go round for ever, so it ends after ten times what there can be.
 new b,c,i,n,q,safe,v
 set safe="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.:-"
 set q=g,b="",c=0
 for  set q=$query(@q) quit:q=""  set c=c+1 quit:c>20000  do
 . set n=$qlength(q),b=b_"k|"_d_"|"_n
 . for i=1:1:n set b=b_"|"_$$shown($qsubscript(q,i))
 . set v=$$shown(@q),b=b_"|"_$extract(v,1,8000)_$char(10)
 . if $length(v)>8000 for i=8001:8000:$length(v) write b set b="+"_$extract(v,i,i+7999)_$char(10)
 . if $length(b)>1000 write b set b=""
 write b
 if c>20000 write "x|",g," without end",!
 quit
 ;
confirmed(w) ;
 new c
 set c=$get(^RVAC(w))
 quit $select(c=(+c_","_(+c*7919+w#9973+10000)):+c,1:"")
 ;
named(k) ;
 new safe
 set safe="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
 quit $$shown($extract(k,1,40))
 ;
shown(v) ;
 ; Text that any terminal prints as it is.
 new i,r
 if $translate(v,safe)="" quit v
 set r="" for i=1:1:$length(v) set r=r_$select(safe[$extract(v,i):$extract(v,i),1:"%"_$ascii(v,i)_";")
 quit r
 ;
writers ;
 ; Collects every writer any global knows into w(), so that a foreign one cannot hide.
 new x
 set x="" for  set x=$order(^RVAS(x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVBS(x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVAC(x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVA("b",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVA("h",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("e",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("h",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("t",x)) quit:x=""  set w(x)=""
 set x="" for  set x=$order(^RVB("l",x)) quit:x=""  set w(x)=""
 quit
 ;
history(w) ;
 ; The history nodes of writer w in order, one value a line. Before a node whose subscript is not the one
 ; after the node before, a line "@" and the subscript. Last: "end" and the number of nodes.
 ; Then its trail in database one, in the same way, where each subscript is eight after the one before.
 ; Lines are gathered to a thousand characters, since a WRITE costs more than a node.
 new b,c,i,n
 set b="",c=0,i="",n=0
 for  set i=$order(^RVB("h",w,i)) quit:i=""  do
 . set n=n+1,c=c+1
 . if n'=i set b=b_"@"_i_$char(10),n=i
 . set b=b_^RVB("h",w,i)_$char(10)
 . if $length(b)>1000 write b set b=""
 write b,"end ",c,!
 set b="",c=0,i="",n=0
 for  set i=$order(^RVA("h",w,i)) quit:i=""  do
 . set n=n+8,c=c+1
 . if n'=i set b=b_"@"_i_$char(10),n=i
 . set b=b_^RVA("h",w,i)_$char(10)
 . if $length(b)>1000 write b set b=""
 write b,"end ",c,!
 quit
